import PostgresFormat

/// A leaf of a posting tree, as its segments are written anew.
///
/// Source: PostgreSQL's `src/backend/access/gin/ginxlog.c`, `ginRedoRecompress`, and `src/include/access/ginxlog.h`.
struct GINLeaf {
    private let gin: GINPage
    private var page: RedoPage { gin.page }
    /// Behind the last segment that was written.
    private var end = GINPage.dataStart

    private enum Action {
        static let delete: UInt8 = 1
        static let insert: UInt8 = 2
        static let replace: UInt8 = 3
        static let addRows: UInt8 = 4
    }

    init(_ gin: GINPage) throws(RedoFault) {
        let leaf = GINPage.Flag.data | GINPage.Flag.leaf
        guard gin.flags & leaf == leaf, gin.page.upper >= end else {
            throw RedoFault("its page is no leaf of a posting tree")
        }
        self.gin = gin
    }

    /// Copies the segments that are there. One of before 9.4 has plain rows, which become a segment.
    ///
    /// - Parameter copy: `Page.size` bytes.
    func takeSegments(_ copy: UnsafeMutableRawBufferPointer) throws(RedoFault) -> RecordData {
        let isCompressed = gin.flags & GINPage.Flag.compressed != 0
        let size = isCompressed ? page.lower - end : Int(gin.maxOffset) * GINPostingList.tidBytes
        guard size >= 0, end + size <= page.upper else { throw RedoFault("a leaf of \(size) bytes") }
        let old = UnsafeRawBufferPointer(start: page.bytes + end, count: size)
        guard !isCompressed else {
            copy.copyMemory(from: old)
            return RecordData(UnsafeRawBufferPointer(rebasing: copy[..<size]))
        }
        gin.flags |= GINPage.Flag.compressed
        gin.maxOffset = 0
        guard size > 0 else { return RecordData(old) }
        var writer = try GINPostingListWriter(copy)
        for offset in stride(from: 0, to: size, by: GINPostingList.tidBytes) {
            try writer.append(try GINPostingList.number(ofRow: RecordData(old), at: offset))
        }
        return RecordData(UnsafeRawBufferPointer(rebasing: copy[..<writer.finish()]))
    }

    /// Writes the segments `old` with some changes.
    ///
    /// - Parameter actions: `ginxlogRecompressDataLeaf`, and what follows.
    mutating func change(_ old: RecordData, _ actions: RecordData) throws(RedoFault) {
        var (old, actions) = (old, actions)
        var index = 0
        for _ in 0..<(try actions.read(UInt16.self)) {
            let segment = Int(try actions.read(UInt8.self))
            let action = try actions.read(UInt8.self)
            guard segment >= index else { throw RedoFault("it changes segment \(segment) after \(index)") }
            while index < segment {
                try append(try GINPostingList.read(&old).bytes)
                index += 1
            }
            if action == Action.insert {
                // Before the one with this number.
                try append(try GINPostingList.read(&actions).bytes)
                continue
            }
            let replaced = try GINPostingList.read(&old)
            index += 1
            switch action {
            case Action.delete: break
            case Action.replace: try append(try GINPostingList.read(&actions).bytes)
            case Action.addRows:
                let count = Int(try actions.read(UInt16.self))
                let added = try actions.read(count * GINPostingList.tidBytes)
                end += try replaced.merge(added, into: room)
            default: throw RedoFault("it does \(action) to a segment")
            }
        }
        try append(old.rest)
    }

    private var room: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: page.bytes + end, count: page.upper - end)
    }

    mutating func append(_ segments: UnsafeRawBufferPointer) throws(RedoFault) {
        guard segments.count <= room.count else {
            throw RedoFault("segments of \(segments.count) bytes do not fit behind \(end)")
        }
        room.copyMemory(from: segments)
        end += segments.count
    }

    func finish() { page.lower = end }
}
