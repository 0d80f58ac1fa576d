/// That a record is about a page.
struct PageEntry {
    /// The fork's number; after the sort, its rank.
    var fork: UInt32
    var block: UInt32
    var position: UInt32
}

/// All that a segment's records are about, in the order of the WAL until they are sorted by fork and block.
struct PageEntries: ~Copyable {
    private var entries: UnsafeMutablePointer<PageEntry>
    private var scratch: UnsafeMutablePointer<PageEntry>
    private var capacity: Int
    private(set) var count = 0
    private var highestBlock: UInt32 = 0

    init() {
        capacity = 1 << 12
        entries = .allocate(capacity: capacity)
        scratch = .allocate(capacity: capacity)
    }

    deinit {
        entries.deallocate()
        scratch.deallocate()
    }

    mutating func clear() { (count, highestBlock) = (0, 0) }

    @inline(__always)
    mutating func append(_ fork: UInt32, _ block: UInt32, _ position: PackedPosition) {
        if count == capacity { grow() }
        (entries + count).initialize(to: PageEntry(fork: fork, block: block, position: position.rawValue))
        count += 1
        if block > highestBlock { highestBlock = block }
    }

    private mutating func grow() {
        let larger = UnsafeMutablePointer<PageEntry>.allocate(capacity: capacity * 2)
        larger.update(from: entries, count: count)
        entries.deallocate()
        scratch.deallocate()
        entries = larger
        capacity *= 2
        scratch = .allocate(capacity: capacity)
    }

    /// Sorts by fork and block; what is about one page stays in its order.
    mutating func sort(forkRanks: [UInt32]) {
        for index in 0..<count { entries[index].fork = forkRanks[Int(entries[index].fork)] }
        sortBy(highest: highestBlock) { $0.block }
        sortBy(highest: UInt32(max(1, forkRanks.count) - 1)) { $0.fork }
    }

    var sorted: UnsafeBufferPointer<PageEntry> { UnsafeBufferPointer(start: entries, count: count) }

    private static let digitBits: UInt32 = 11

    /// A radix sort, a digit after the other from the lowest on.
    @inline(__always)
    private mutating func sortBy(highest: UInt32, _ key: (PageEntry) -> UInt32) {
        let digits = 1 << Int(Self.digitBits)
        var shift: UInt32 = 0
        while shift < 32, highest >> shift > 0 {
            withUnsafeTemporaryAllocation(of: Int.self, capacity: digits) { places in
                places.initialize(repeating: 0)
                for index in 0..<count { places[Int(key(entries[index]) >> shift) & (digits - 1)] += 1 }
                var place = 0
                for digit in 0..<digits {
                    let size = places[digit]
                    places[digit] = place
                    place += size
                }
                for index in 0..<count {
                    let entry = entries[index]
                    let digit = Int(key(entry) >> shift) & (digits - 1)
                    (scratch + places[digit]).initialize(to: entry)
                    places[digit] += 1
                }
            }
            swap(&entries, &scratch)
            shift += Self.digitBits
        }
    }
}
