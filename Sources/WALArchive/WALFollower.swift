import PostgresFormat

/// Takes the content of one file after the other, and hands on the records in it.
///
/// - Note: Not guarded: `WALArchiveReader.unpack` hands over one piece after the other, and all else is done between two
///   files.
final class WALFollower: @unchecked Sendable {
    /// Enough was seen.
    struct Ended: Error {}

    private let start: LSN
    private let end: LSN?
    private let visit: @Sendable (WALRecord) throws -> Bool
    private var reader: WALRecordReader
    private var search: WALEndSearch?
    private var file: WALWalk.File?
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

    var lastRecordEnd: LSN? { reader.lastRecordEnd }

    func begin(_ file: WALWalk.File) {
        self.file = file
        position = file.segment.startLSN
    }

    func take(_ bytes: UnsafeRawBufferPointer) throws {
        guard let file else { return }
        let endLSN = file.end ?? file.segment.endLSN
        // What was before the start, and what is behind the end of the timeline or of a segment.
        let first = reader.position > position && search == nil ? reader.position : position
        let (lower, upper) = (min(distance(to: first), bytes.count), min(distance(to: endLSN), bytes.count))
        position.rawValue += UInt64(bytes.count)
        guard lower < upper else { return }
        var rest = UnsafeRawBufferPointer(rebasing: bytes[lower..<upper])
        if search == nil {
            do throws(FormatError) {
                while let record = try reader.next(&rest) {
                    if try isEnd(record) { break }
                }
            } catch { search = reader.endSearch(after: error) }
            if let fault { throw fault }
        }
        search?.take(rest)
    }

    /// What `visit` threw, or that it has seen enough.
    private var fault: (any Error)?

    private func isEnd(_ record: WALRecord) throws(FormatError) -> Bool {
        if record.startLSN < start { return false }
        if let end, record.startLSN >= end {
            fault = Ended()
        } else {
            do { if try !visit(record) { fault = Ended() } } catch { fault = error }
        }
        return fault != nil
    }

    private func distance(to lsn: LSN) -> Int {
        lsn > position ? Int(clamping: lsn.rawValue - position.rawValue) : 0
    }

    /// Judges, when a file is over: nil where WAL goes on in the next one.
    func endOfFile(next: WALWalk.File?, _ archive: WALArchiveReader) async throws -> WALEnd? {
        guard let file else { return nil }
        if let search {
            guard let next else { return search.decide(nextSegment: nil) }
            let page = try await archive.firstPage(of: next.object)
            return search.decide(nextSegment: (next.segment.startLSN, page))
        }
        if position >= file.segment.endLSN {
            guard file.end != nil else { return nil }
            // The file of the timeline that followed is not there.
            let text = "TLI \(file.segment.timeline) was left at \(reader.position)"
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
        reader.unfinishedRecord.map { "\(text), and the record at \($0) is not whole" } ?? text
    }
}
