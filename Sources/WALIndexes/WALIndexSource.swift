public import PostgresFormat
public import WALRedo

/// Gives the page index of any segment of an archive: where one is kept, that; else one that is made of the segment.
public struct WALIndexSource: Sendable {
    private let places: [WALIndexReader]
    private let maker: WALIndexMaker
    private let keeper: WALIndexWriter?

    /// - Parameters:
    ///   - places: Where indexes are kept, the nearest first.
    ///   - maker: Makes those that are missing there or damaged.
    ///   - keeper: Where what was made is kept; nil: nowhere.
    public init(_ places: [WALIndexReader], maker: WALIndexMaker, keeper: WALIndexWriter? = nil) {
        self.places = places
        self.maker = maker
        self.keeper = keeper
    }

    /// - Returns: Nil where the segment, or its last record, is not there whole.
    /// - Throws: As `WALIndexMaker.index`, or `ObjectStoreError` of a place, or of the keeper.
    public func index(of segment: WALSegment) async throws -> WALPageIndex? {
        for place in places {
            if case .sound(let index) = try await place.find(segment) { return index }
        }
        guard let index = try await maker.index(of: segment) else { return nil }
        try await keeper?.put(index)
        return index
    }
}
