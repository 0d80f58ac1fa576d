public import PostgresFormat

/// Which segments hold the WAL of a timeline and of those that it descends from.
public struct WALSegmentChain: Sendable {
    public struct Candidate: Sendable, Hashable {
        public let segment: WALSegment
        /// Where the timeline was left: what follows in the file is not on the way. Nil: all of it is.
        public let end: LSN?
    }

    public let timeline: TimelineID
    public let segmentSize: Int
    /// Each with where it begins and ends, latest first.
    private let timelines: [(timeline: TimelineID, begin: LSN, end: LSN?)]

    /// - Parameter history: That of the timeline; nil where it has none, or it is not there.
    public init(timeline: TimelineID, history: TimelineHistory?, segmentSize: Int) {
        self.timeline = timeline
        self.segmentSize = segmentSize
        var timelines: [(TimelineID, LSN, LSN?)] = []
        var begin = LSN.invalid
        for entry in history?.entries ?? [] {
            timelines.append((entry.timeline, begin, entry.end))
            begin = entry.end
        }
        timelines.append((timeline, begin, nil))
        self.timelines = timelines.reversed()
    }

    /// The segments that may hold the WAL of this one, the best first: a timeline's first segment begins with a copy of
    /// what the one before has.
    public func candidates(number: UInt64) -> [Candidate] {
        timelines.compactMap { timeline, begin, end in
            let segment = WALSegment(timeline: timeline, number: number, size: segmentSize)
            guard begin < segment.endLSN, end.map({ $0 > segment.startLSN }) ?? true else { return nil }
            let isLeftWithin = end.map { $0 < segment.endLSN } ?? false
            return Candidate(segment: segment, end: isLeftWithin ? end : nil)
        }
    }

    /// Whether segments of this timeline may belong to it.
    public func contains(_ timeline: TimelineID) -> Bool { timelines.contains { $0.timeline == timeline } }
}
