import Glibc

/// The names in one directory as they were read, in the byte order of the keys that they begin.
///
/// That is not the order of the names: `a.b` sorts before what lies in the directory `a`, since `.` is less than `/`.
/// So a directory's name carries its slash. Names lie one after the other in one array; each entry points into it.
struct DirectorySnapshot: Sendable {
    struct Entry: Sendable {
        /// Of the name, with a directory's slash.
        let range: Range<Int>
        let isDirectory: Bool
        /// Of a file, where it was told along with the name.
        let sizeBytes: Int?
    }

    private(set) var names: [UInt8] = []
    private(set) var entries: [Entry] = []

    /// Adds a file or directory that a key can name.
    mutating func add(_ name: some Sequence<UInt8>, isDirectory: Bool, sizeBytes: Int? = nil) {
        let start = names.count
        names.append(contentsOf: name)
        if isDirectory { names.append(UInt8(ascii: "/")) }
        entries.append(Entry(range: start..<names.count, isDirectory: isDirectory, sizeBytes: sizeBytes))
    }

    /// Brings the entries into order, once all are there.
    mutating func sort() {
        names.withUnsafeBytes { bytes in
            entries.sort { a, b in
                Self.compare(UnsafeRawBufferPointer(rebasing: bytes[a.range]), .init(rebasing: bytes[b.range])) < 0
            }
        }
    }

    /// The first entry that is not less than `bound`.
    func firstIndex(notBefore bound: ArraySlice<UInt8>) -> Int {
        var (low, high) = (0, entries.count)
        while low < high {
            let middle = (low + high) / 2
            if names[entries[middle].range].lexicographicallyPrecedes(bound) { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private static func compare(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Int {
        guard let aStart = a.baseAddress, let bStart = b.baseAddress else { return a.count - b.count }
        let order = memcmp(aStart, bStart, min(a.count, b.count))
        return order != 0 ? Int(order) : a.count - b.count
    }
}
