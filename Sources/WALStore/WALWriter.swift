public import PostgresFormat
import SystemPackage

/// Writes WAL as it arrives into a store. One at a time, and by one thread at a time.
///
/// Bytes are on disk after `flush`. A full disk is noticed where a segment begins, since its whole space is taken then: what
/// was begun can be finished.
public struct WALWriter: ~Copyable {
    private let store: WALStore
    public private(set) var timeline: TimelineID
    /// Where the next bytes belong.
    public private(set) var written: LSN
    private var scanner: WALRecordScanner
    /// Behind the last whole record that was written.
    private var recordEnd: LSN
    private var flushedRecordEnd: LSN
    private var current: (segment: WALSegment, file: FileDescriptor)?
    /// Written to the current file since the last flush.
    private var unflushedBytes = 0
    /// The last flush was a large one; a small one comes because somebody waits for it.
    private var isBulk = false
    /// The one before was; between two large ones a small one is no trickle.
    private var wasBulk = false
    private var bulk = DirectWriter()
    /// How far the current file was written to, be it with zeros: a flush of what comes below changes nothing but
    /// content, and does not wait for the file system's journal.
    private var preparedBytes = 0

    /// Goes on where the store ends.
    ///
    /// - Parameter start: Where to begin in an empty store: the first byte of a segment.
    public init(_ store: WALStore, start: (timeline: TimelineID, segmentStart: LSN)) {
        self.store = store
        let (position, isUnused) = store.end
        timeline = position?.timeline ?? start.timeline
        written = position?.flushed ?? start.segmentStart
        scanner = WALRecordScanner(
            startingAt: written, segmentSize: store.identity.segmentSize, isUnused: isUnused, checksCRC: false)
        recordEnd = written
        flushedRecordEnd = written
    }

    deinit { try? current?.file.close() }

    /// Writes the bytes that follow, over as many segments as they take.
    ///
    /// - Throws: `.full`: what could be written is, and `written` says how far; the rest may be tried again.
    ///   `.diverged` where the bytes are no WAL that follows on what is here; nothing of them counts.
    public mutating func append(_ bytes: UnsafeRawBufferPointer) throws(WALStoreError) {
        var rest = bytes
        while !rest.isEmpty {
            let segment = WALSegment(timeline: timeline, holding: written, size: store.identity.segmentSize)
            let file = try open(segment)
            let offset = Int(written.rawValue - segment.startLSN.rawValue)
            var piece = UnsafeRawBufferPointer(rebasing: rest.prefix(segment.size - offset))
            if isBulk {
                let room = try store.writing(segment) { () throws(Errno) in try bulk.room(at: offset, in: file) }
                piece = UnsafeRawBufferPointer(rebasing: piece.prefix(room))
            }
            do throws(FormatError) { try scanner.scan(piece) } catch {
                throw .diverged("what was received at \(written) does not follow on the WAL that is here: \(error)")
            }
            try store.writing(segment) { () throws(Errno) in
                if isBulk { return try bulk.add(piece, at: offset, in: file) }
                try file.writeFully(at: offset, piece)
                let end = offset + piece.count
                if end > preparedBytes, !wasBulk { try prepare(file, from: end, segment.size) }
            }
            unflushedBytes += piece.count
            written.rawValue += UInt64(piece.count)
            if let end = scanner.lastRecordEnd { recordEnd = end }
            rest = UnsafeRawBufferPointer(rebasing: rest[piece.count...])
            if written == segment.endLSN { try finish() }
        }
    }

    private static let bulkBytes = 1 << 20
    private static let zeros = [UInt8](repeating: 0, count: 1 << 20)

    /// Writes zeros where WAL comes soon. The file has the space, but space that was never written to becomes content
    /// in the journal, which a commit would wait for each time.
    private mutating func prepare(_ file: FileDescriptor, from offset: Int, _ segmentSize: Int) throws(Errno) {
        let end = min(segmentSize, offset + Self.zeros.count)
        try retrying {
            try Self.zeros.withUnsafeBytes { zeros in
                try file.writeFully(at: offset, UnsafeRawBufferPointer(rebasing: zeros[..<(end - offset)]))
            }
        }
        preparedBytes = end
    }

    /// Puts on disk what was written.
    ///
    /// - Returns: Behind the last whole record on disk.
    @discardableResult
    public mutating func flush() throws(WALStoreError) -> LSN {
        if unflushedBytes > 0, let current {
            try store.writing(current.segment) { () throws(Errno) in try bulk.write(to: current.file) }
            do throws(Errno) { try current.file.synchronizeData() } catch {
                throw WALStoreError("synchronizing \(store.directory.file(current.segment))", error)
            }
            wasBulk = isBulk
            isBulk = unflushedBytes >= Self.bulkBytes
            unflushedBytes = 0
        }
        if flushedRecordEnd != recordEnd {
            flushedRecordEnd = recordEnd
            store.advance(
                to: WALStore.Position(timeline: timeline, flushed: recordEnd), isUnused: scanner.isUnused)
        }
        return flushedRecordEnd
    }

    /// Whether `bytes`, which begin at `lsn`, are what is here; where they go beyond `written`, as far as that.
    public func agrees(_ bytes: UnsafeRawBufferPointer, at lsn: LSN) throws(WALStoreError) -> Bool {
        guard lsn < written else { return true }
        let count = min(bytes.count, Int(written.rawValue - lsn.rawValue))
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 16)
        defer { buffer.deallocate() }
        var offset = 0
        while offset < count {
            let position = LSN(rawValue: lsn.rawValue + UInt64(offset))
            let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[offset...])
            let read = try store.read(timeline: timeline, from: position, into: piece)
            guard read > 0 else { return false }
            offset += read
        }
        return buffer.elementsEqual(bytes.prefix(count))
    }

    /// Goes over to the timeline that follows, whose history has just been received.
    ///
    /// - Parameter switchLSN: Where the old one ended: all that is here must be before.
    public mutating func begin(
        _ next: TimelineID, switchLSN: LSN, history: [UInt8]
    ) throws(WALStoreError) {
        try flush()
        guard recordEnd == switchLSN else {
            throw .diverged(
                "timeline \(next) branches off from timeline \(timeline) at \(switchLSN), and WAL here ends at \(recordEnd)"
            )
        }
        try store.directory.writeHistory(history, of: next)
        let size = store.identity.segmentSize
        let segment = WALSegment(timeline: next, holding: switchLSN, size: size)
        let count = Int(switchLSN.rawValue - segment.startLSN.rawValue)
        // As PostgreSQL does: what the two have in common stands at the new one's beginning.
        var file: FileDescriptor?
        if count > 0 {
            let old = try open(WALSegment(timeline: timeline, number: segment.number, size: size))
            file = try store.directory.create(segment, prefix: (old, count))
        }
        try? current?.file.close()
        current = file.map { (segment, $0) }
        preparedBytes = 0
        timeline = next
        written = switchLSN
        scanner = WALRecordScanner(startingAt: switchLSN, segmentSize: size, checksCRC: false)
        if count > 0 {
            store.advance(to: WALStore.Position(timeline: next, flushed: switchLSN), isUnused: false)
        }
    }

    /// The file of a segment; the one before is full and on disk.
    private mutating func open(_ segment: WALSegment) throws(WALStoreError) -> FileDescriptor {
        if let current, current.segment == segment { return current.file }
        try finish()
        let path = store.directory.file(segment)
        let file: FileDescriptor
        do throws(Errno) {
            file = try retrying { try FileDescriptor.open(path, .readWrite, options: .closeOnExec) }
        } catch {
            guard error == .noSuchFileOrDirectory else { throw WALStoreError("opening \(path)", error) }
            file = try store.directory.create(segment)
        }
        current = (segment, file)
        preparedBytes = 0
        return file
    }

    private mutating func finish() throws(WALStoreError) {
        try flush()
        try? current?.file.close()
        current = nil
    }
}

extension WALStore {
    /// Names the segment's file where writing fails.
    fileprivate func writing<Value>(
        _ segment: WALSegment, _ body: () throws(Errno) -> Value
    ) throws(WALStoreError) -> Value {
        do throws(Errno) { return try body() } catch {
            throw WALStoreError("writing \(directory.file(segment))", error)
        }
    }
}
