public import ObjectStorage
public import PostgresFormat

extension WALArchiveReader {
    /// Hands on every WAL file in byte order of the keys, which is that of TLIs and segments, while more are listed.
    public func forEachObject(_ body: (WALObject) throws -> Void) async throws {
        for try await info in store.listAll(prefix: prefix) {
            if let object = object(info) { try body(object) }
        }
    }

    /// The size of segments: what the header of the first one tells; nil where there is none to ask.
    public func segmentSize() async throws -> Int? {
        var after: ObjectKey?
        repeat {
            let page = try await store.list(prefix: prefix, delimiter: nil, after: after, limit: 1000)
            for info in page.objects {
                guard let object = object(info), object.name.kind == .segment, case .readable = object.packing else {
                    continue
                }
                return try await read(object) { _ throws(WALArchiveError) in }
            }
            after = page.next
        } while after != nil
        return nil
    }

    /// What the archive holds, by TLI.
    ///
    /// - Parameter segmentSize: As `segmentSize()` or the repository tells; nil where there is no segment.
    public func inventory(segmentSize: Int?) async throws -> WALInventory {
        var inventory = WALInventory(segmentSize: segmentSize)
        try await forEachObject { inventory.add($0) }
        return inventory
    }
}

/// What an archive holds, gathered from a listing in its order: memory grows with TLIs and gaps alone.
public struct WALInventory: Sendable {
    /// Segments that are missing between others.
    public struct Gap: Sendable, Hashable {
        public let first: WALSegment
        public let last: WALSegment
        public var count: Int { Int(clamping: last.number - first.number + 1) }
    }

    public struct Timeline: Sendable {
        public let timeline: TimelineID
        public fileprivate(set) var first: WALSegment?
        public fileprivate(set) var last: WALSegment?
        public fileprivate(set) var segmentCount = 0
        /// As they lie in storage.
        public fileprivate(set) var storedBytes = 0
        public fileprivate(set) var gaps: [Gap] = []
        public fileprivate(set) var partials: [WALFileName] = []
        public fileprivate(set) var hasHistory = false
        public fileprivate(set) var backupCount = 0
    }

    public let segmentSize: Int?
    /// In their order.
    public private(set) var timelines: [Timeline] = []
    /// Keys that lie there and cannot be read, or have names that this segment size does not give.
    public private(set) var unreadable: [ObjectKey] = []

    public init(segmentSize: Int?) { self.segmentSize = segmentSize }

    public mutating func add(_ object: WALObject) {
        let name = object.name
        if timelines.last?.timeline != name.timeline {
            // A history file sorts behind all segments of earlier TLIs and before none of its own: `.` is below `0`.
            timelines.append(Timeline(timeline: name.timeline))
        }
        let index = timelines.count - 1
        timelines[index].storedBytes += object.sizeBytes
        if case .unreadable = object.packing { unreadable.append(object.key) }
        switch name.kind {
        case .history: timelines[index].hasHistory = true
        case .backup: timelines[index].backupCount += 1
        case .partial, .unfinished: timelines[index].partials.append(name)
        case .segment:
            guard let size = segmentSize, let segment = name.segment(size: size) else {
                unreadable.append(object.key)
                return
            }
            timelines[index].add(segment)
        }
    }
}

extension WALInventory.Timeline {
    fileprivate mutating func add(_ segment: WALSegment) {
        if let last {
            if segment.number == last.number { return }  // packed in two ways
            if segment.number > last.number + 1 {
                let before = WALSegment(timeline: timeline, number: segment.number - 1, size: segment.size)
                gaps.append(WALInventory.Gap(first: last.next, last: before))
            }
        } else {
            first = segment
        }
        last = segment
        segmentCount += 1
    }
}
