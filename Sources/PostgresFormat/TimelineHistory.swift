/// What a timeline's history file tells: the timelines it descends from, and where each was left.
///
/// Source: PostgreSQL's `src/backend/access/transam/timeline.c`, `readTimeLineHistory`.
public struct TimelineHistory: Hashable, Sendable {
    public struct Entry: Hashable, Sendable {
        public let timeline: TimelineID
        /// Where the next one begins, exclusive end of this one.
        public let end: LSN
    }

    /// The timeline itself, which goes on.
    public let timeline: TimelineID
    /// Its forebears, oldest first.
    public let entries: [Entry]

    /// - Throws: Where a line is none of PostgreSQL's, or the timelines do not grow.
    public init(parsing content: [UInt8], timeline: TimelineID) throws(FormatError) {
        var entries: [Entry] = []
        for line in content.split(separator: UInt8(ascii: "\n")) {
            let text = String(decoding: line, as: UTF8.self)
            let fields = text.split(whereSeparator: { $0 == "\t" || $0 == " " || $0 == "\r" })
            guard let first = fields.first, !first.hasPrefix("#") else { continue }
            guard fields.count >= 2, let number = TimelineID(first), number > 0, let end = LSN(String(fields[1])) else {
                throw .invalid("the history of timeline \(timeline) has a line that is none: \(text)")
            }
            guard number < timeline, entries.last.map({ $0.timeline < number && $0.end <= end }) ?? true else {
                throw .invalid("the history of timeline \(timeline) has timeline \(number) out of order")
            }
            entries.append(Entry(timeline: number, end: end))
        }
        self.timeline = timeline
        self.entries = entries
    }

    /// Where `other` was left on the way to this timeline; nil where it is no forebear.
    public func end(of other: TimelineID) -> LSN? { entries.first { $0.timeline == other }?.end }

    /// The timeline that followed `other`; nil where that is no forebear.
    public func successor(of other: TimelineID) -> TimelineID? {
        guard let index = entries.firstIndex(where: { $0.timeline == other }) else { return nil }
        return index + 1 < entries.count ? entries[index + 1].timeline : timeline
    }
}
