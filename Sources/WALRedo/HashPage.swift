import PostgresFormat

/// A page of a hash index.
///
/// Source: PostgreSQL's `src/include/access/hash.h`.
struct HashPage {
    static let specialSize = 16
    static let special = Page.size - specialSize
    /// No block, no bucket.
    static let none: UInt32 = .max
    private static let mark: UInt16 = 0xFF80

    enum Flag {
        static let overflow: UInt16 = 0x0001
        static let bucket: UInt16 = 0x0002
        static let bitmap: UInt16 = 0x0004
        static let meta: UInt16 = 0x0008
        /// The four kinds; none of them in pages that are not used.
        static let kinds: UInt16 = 0x000F
        static let needsCleanup: UInt16 = 0x0040
        static let hasDead: UInt16 = 0x0080
    }

    let page: RedoPage

    init(_ page: RedoPage) throws(RedoFault) {
        guard page.special == Self.special else { throw RedoFault("it is no page of a hash index") }
        self.page = page
    }

    /// Makes the page anew.
    static func make(
        _ page: RedoPage, flags: UInt16, bucket: UInt32 = none, previous: UInt32 = none
    ) -> HashPage {
        page.initialize(specialSize: specialSize)
        let made = HashPage(unchecked: page)
        made.previous = previous
        made.next = none
        page.store(bucket, special + 8)
        made.flags = flags
        page.store(mark, special + 14)
        return made
    }

    private init(unchecked page: RedoPage) { self.page = page }

    /// Of a bucket's first page, the greatest bucket when it was split last.
    var previous: UInt32 {
        get { page.load(Self.special, UInt32.self) }
        nonmutating set { page.store(newValue, Self.special) }
    }
    var next: UInt32 {
        get { page.load(Self.special + 4, UInt32.self) }
        nonmutating set { page.store(newValue, Self.special + 4) }
    }
    var flags: UInt16 {
        get { page.load(Self.special + 12, UInt16.self) }
        nonmutating set { page.store(newValue, Self.special + 12) }
    }
}

/// The first page of a hash index.
struct HashMeta {
    static let start = Page.headerSize
    static let size = 4544
    private static let magic: UInt32 = 0x0644_0640
    private static let version: UInt32 = 4

    /// `HASH_MAX_SPLITPOINTS` and `HASH_MAX_BITMAPS`.
    private static let spareCount: UInt32 = 98
    private static let mapCount: UInt32 = 1024

    private enum Field {
        static let tuples = 8
        static let fillFactor = 16
        static let pageBytes = 18
        static let bitmapBytes = 20
        static let bitmapShift = 22
        static let maxBucket = 24
        static let highMask = 28
        static let lowMask = 32
        static let splitPoint = 36
        static let firstFree = 40
        static let maps = 44
        static let procedure = 48
        static let spares = 52
        static let mapBlocks = 444
    }

    let page: RedoPage

    init(_ page: RedoPage) throws(RedoFault) {
        guard try HashPage(page).flags & HashPage.Flag.meta != 0 else {
            throw RedoFault("it is not the first page of a hash index")
        }
        self.page = page
    }

    private subscript(field: Int) -> UInt32 {
        get { page.load(Self.start + field, UInt32.self) }
        nonmutating set { page.store(newValue, Self.start + field) }
    }

    var tuples: Double {
        get { Double(bitPattern: page.load(Self.start + Field.tuples, UInt64.self)) }
        nonmutating set { page.store(newValue.bitPattern, Self.start + Field.tuples) }
    }
    var maxBucket: UInt32 {
        get { self[Field.maxBucket] }
        nonmutating set { self[Field.maxBucket] = newValue }
    }
    var firstFree: UInt32 {
        get { self[Field.firstFree] }
        nonmutating set { self[Field.firstFree] = newValue }
    }

    func setMasks(low: UInt32, high: UInt32) {
        self[Field.lowMask] = low
        self[Field.highMask] = high
    }

    func setSplitPoint(_ point: UInt32, spares: UInt32) throws(RedoFault) {
        self[try sparesField(point)] = spares
        self[Field.splitPoint] = point
    }

    /// One more page that is in no bucket from its beginning.
    func addSpare() throws(RedoFault) { self[try sparesField(self[Field.splitPoint])] &+= 1 }

    private func sparesField(_ point: UInt32) throws(RedoFault) -> Int {
        guard point < Self.spareCount else { throw RedoFault("it has no split point \(point)") }
        return Field.spares + Int(point) * 4
    }

    func addMap(_ block: UInt32) throws(RedoFault) {
        let count = self[Field.maps]
        guard count < Self.mapCount else { throw RedoFault("it has \(count) bitmaps already") }
        self[Field.mapBlocks + Int(count) * 4] = block
        self[Field.maps] = count + 1
    }

    // MARK: - Made anew

    /// `_hash_init_metabuffer`.
    static func make(_ page: RedoPage, tuples: Double, procedure: UInt32, fillFactor: UInt16) throws(RedoFault) {
        _ = HashPage.make(page, flags: HashPage.Flag.meta)
        let meta = try HashMeta(page)
        guard fillFactor > 0 else { throw RedoFault("its fill factor is 0") }
        let wanted = tuples / Double(fillFactor)
        let buckets: UInt32
        if wanted > 2 {
            buckets = wanted >= 0x4000_0000 ? 0x4000_0000 : bucketCount(upTo: phase(of: UInt32(wanted)))
        } else {
            buckets = 2
        }
        meta[0] = magic
        meta[4] = version
        page.store(fillFactor, start + Field.fillFactor)
        page.store(UInt16(Page.size - Page.headerSize - HashPage.specialSize), start + Field.pageBytes)
        page.store(UInt16(4096), start + Field.bitmapBytes)
        page.store(UInt16(15), start + Field.bitmapShift)
        meta.maxBucket = buckets - 1
        let high = (UInt32(1) << ceilLog2(buckets + 1)) - 1
        meta.setMasks(low: high >> 1, high: high)
        meta[Field.procedure] = procedure
        try meta.setSplitPoint(phase(of: buckets), spares: 1)
        page.lower = start + size
    }

    private static func ceilLog2(_ value: UInt32) -> UInt32 {
        value <= 1 ? 0 : UInt32(32 - (value - 1).leadingZeroBitCount)
    }

    /// From here on, a doubling of the buckets goes in four steps.
    private static let onePhaseGroups: UInt32 = 10

    /// `_hash_spareindex`.
    private static func phase(of bucket: UInt32) -> UInt32 {
        let group = ceilLog2(bucket)
        guard group >= onePhaseGroups else { return group }
        return onePhaseGroups + (group - onePhaseGroups) * 4 + ((bucket - 1) >> (group - 3) & 3)
    }

    /// `_hash_get_totalbuckets`.
    private static func bucketCount(upTo phase: UInt32) -> UInt32 {
        guard phase >= onePhaseGroups else { return 1 << phase }
        let total: UInt32 = 1 << (onePhaseGroups + (phase - onePhaseGroups) / 4 - 1)
        return total + total / 4 * ((phase - onePhaseGroups) % 4 + 1)
    }
}
