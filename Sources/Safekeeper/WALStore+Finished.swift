import PostgresFormat
import WALStore

extension WALStore {
    /// Whether the WAL here goes beyond a segment. It blocks.
    ///
    /// The last one of a timeline that ended is never finished: what follows its end goes on in the next timeline's file.
    func isFinished(_ segment: WALSegment, _ position: Position) -> Bool {
        if segment.timeline == position.timeline { return segment.endLSN <= position.flushed }
        guard let history = try? history(of: position.timeline),
            let end = try? TimelineHistory(parsing: history, timeline: position.timeline).end(of: segment.timeline)
        else { return false }
        return segment.endLSN <= end
    }
}
