import PostgresFormat
import Synchronization

/// Takes the content of one file after the other, and hands on the records in it.
///
/// - Note: `lock` guards what changes: a Mutex around it would let no borrowed bytes in.
final class WALFollower: @unchecked Sendable {
    /// Enough was seen.
    struct Ended: Error {}
    /// The record that the last file ended within is over, and that was all that was wanted of this one.
    struct Passed: Error {}

    private let start: LSN
    private let end: LSN?
    private let visit: @Sendable (WALRecord) throws -> Bool
    private let lock = Mutex(())
    private var reader: WALRecordReader
    private var search: WALEndSearch?
    private var file: WALWalk.File?
    private var takesRestOnly = false
    /// Where the next bytes of the file lie.
    private var position = LSN.invalid

    init(
        start: LSN, readingFrom first: LSN, end: LSN?, segmentSize: Int, major: Int,
        visit: @escaping @Sendable (WALRecord) throws -> Bool
    ) {
        self.start = start
        self.end = end
        self.visit = visit
        // With the beginning of its page, since a record may begin anywhere.
        let page = LSN(rawValue: first.rawValue / UInt64(Page.size) * UInt64(Page.size))
        reader = WALRecordReader(startingAt: page, segmentSize: segmentSize, major: major)
    }

    var lastRecordEnd: LSN? { lock.withLock { _ in reader.lastRecordEnd } }

    /// Whether a record was begun whose end was not seen yet.
    var isWithinRecord: Bool { lock.withLock { _ in reader.unfinishedRecord != nil } }

    /// - Parameter takesRestOnly: `Passed` is thrown where the records that were begun before the file are over.
    func begin(_ file: WALWalk.File, takesRestOnly: Bool = false) {
        lock.withLock { _ in
            self.file = file
            self.takesRestOnly = takesRestOnly
            position = file.segment.startLSN
        }
    }

    func take(_ bytes: UnsafeRawBufferPointer) throws { try lock.withLock { _ in try takeLocked(bytes) } }

    private func takeLocked(_ bytes: UnsafeRawBufferPointer) throws {
        guard let file else { return }
        let endLSN = file.end ?? file.segment.endLSN
        // What was before the start, and what is behind the end of the timeline or of a segment.
        let isBefore = reader.position > position && search == nil
        let first = isBefore ? reader.position : position
        let lower = min(distance(from: position, to: first), bytes.count)
        let upper = min(distance(from: position, to: endLSN), bytes.count)
        position.rawValue += UInt64(bytes.count)
        guard lower < upper else { return }
        var rest = UnsafeRawBufferPointer(rebasing: bytes[lower..<upper])
        if search == nil {
            // What `visit` threw, or that enough was seen: not to be taken for a fault of the WAL.
            var fault: (any Error)?
            do throws(FormatError) {
                while fault == nil, let record = try reader.next(&rest) { fault = hand(on: record) }
            } catch { search = reader.endSearch(after: error) }
            if let fault { throw fault }
            if search == nil, takesRestOnly, reader.unfinishedRecord.map({ $0 >= file.segment.startLSN }) ?? true {
                throw Passed()
            }
        }
        search?.take(rest)
    }

    /// - Returns: Why no more records are to be handed on.
    private func hand(on record: WALRecord) -> (any Error)? {
        if record.startLSN < start { return nil }
        if let end, record.startLSN >= end { return Ended() }
        do { return try visit(record) ? nil : Ended() } catch { return error }
    }

    private func distance(from position: LSN, to lsn: LSN) -> Int {
        lsn > position ? Int(clamping: lsn.rawValue - position.rawValue) : 0
    }

    /// Judges, when a file is over: nil where WAL goes on in the next one.
    func endOfFile(next: WALWalk.File?, _ archive: WALArchiveReader) async throws -> WALEnd? {
        let (file, search, position, read) = lock.withLock { _ in
            (self.file, self.search, self.position, reader.position)
        }
        guard let file else { return nil }
        if let search {
            guard let next else { return search.decide(nextSegment: nil) }
            let page = try await archive.firstPage(of: next.object)
            return search.decide(nextSegment: (next.segment.startLSN, page))
        }
        if position >= file.segment.endLSN {
            guard file.end != nil else { return nil }
            // The file of the timeline that followed is not there.
            let text = "TLI \(file.segment.timeline) was left at \(read)"
            return next.map {
                .damage(reason: "\(text), and what lies between that and \($0.object.name) is not there")
            }
                ?? .end(reason: text)
        }
        let text = cutText("the file ends at \(position)")
        if case .segment = file.object.name.kind { return .damage(reason: "\(text): it is shorter than a segment") }
        return next.map { .damage(reason: "\(text), but \($0.object.name) is there") } ?? .end(reason: text)
    }

    /// Says so of a record that is cut off there, too.
    func cutText(_ text: String) -> String {
        lock.withLock { _ in reader.unfinishedRecord }.map { "\(text), and the record at \($0) is not whole" }
            ?? text
    }
}
