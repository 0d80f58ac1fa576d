import ObjectStorage
public import PostgresFormat

/// Goes through the records of an archive's WAL, or of a directory's or a single file's, segment by segment. Memory is
/// that of the longest record.
public struct WALWalk: Sendable {
    /// Where it came to an end by itself.
    public struct Stop: Sendable, Hashable {
        /// Behind the last whole record; nil where there was none.
        public let lsn: LSN?
        /// The last file that was read.
        public let file: String
        public let end: WALEnd
    }

    /// A file, and how much of it counts.
    struct File {
        let object: WALObject
        let segment: WALSegment
        let end: LSN?
    }

    public let archive: WALArchiveReader
    public let chain: WALSegmentChain
    /// Of the server that wrote it.
    public let major: Int
    /// What there is; nil where only one file is read.
    let inventory: WALInventory?
    private let first: File
    private let start: LSN?

    /// Finds where to begin.
    ///
    /// - Parameters:
    ///   - timeline: Nil: the highest that there is.
    ///   - start: Nil: with the first segment.
    ///   - only: The name of the one file that is read.
    public init(
        _ archive: WALArchiveReader, timeline: TimelineID? = nil, start: LSN? = nil, only: WALFileName? = nil
    ) async throws {
        self.archive = archive
        self.start = start
        let name = only.map { [$0] } ?? []
        let known = try await Self.segmentSize(archive, name)
        guard let segmentSize = known else {
            throw WALArchiveError.absent("there is no WAL in \(archive.place)")
        }
        if let only {
            guard let object = try await archive.object(only), let segment = only.segment(size: segmentSize) else {
                throw WALArchiveError.absent("there is no WAL in \(archive.place)/\(only)")
            }
            inventory = nil
            chain = WALSegmentChain(timeline: only.timeline, history: nil, segmentSize: segmentSize)
            first = File(object: object, segment: segment, end: nil)
        } else {
            let inventory = try await archive.inventory(segmentSize: segmentSize)
            let timelines = inventory.timelines.filter { $0.firstNumber(segmentSize) != nil }.map(\.timeline)
            guard let last = timeline ?? timelines.max() else {
                throw WALArchiveError.absent("there is no WAL in \(archive.place)")
            }
            chain = WALSegmentChain(
                timeline: last, history: try await Self.history(archive, last), segmentSize: segmentSize)
            let number = start.map { $0.rawValue / UInt64(segmentSize) } ?? inventory.firstNumber(chain)
            guard let number, let file = try await Self.find(archive, chain, number) else {
                let place = start.map { " at \($0)" } ?? ""
                throw WALArchiveError.absent("there is no WAL of TLI \(last)\(place) in \(archive.place)")
            }
            self.inventory = inventory
            first = file
        }
        guard let header = WALFileHeader(try await archive.firstPage(of: first.object)) else {
            throw WALArchiveError.damaged(
                "\(archive.place(of: first.object)) does not begin with a WAL page of a known PostgreSQL version")
        }
        major = header.major
    }

    /// Hands on records from the first one that begins at the start or behind it, in order and on a thread for blocking
    /// work.
    ///
    /// - Parameters:
    ///   - end: Records that begin there or behind it are not read. Nil: up to the end.
    ///   - passes: Whether no record is wanted that begins in a segment, which is then not read. Nil: all are read.
    ///   - visit: Gets each record, which is gone when it returns; false ends the walk.
    /// - Returns: Where WAL ends or is damaged; nil where the walk was ended before.
    public func run(
        to end: LSN? = nil, passing passes: (@Sendable (WALSegment) async throws -> Bool)? = nil,
        _ visit: @escaping @Sendable (WALRecord) throws -> Bool
    ) async throws -> Stop? {
        let position = start.flatMap { $0 > first.segment.startLSN ? $0 : nil } ?? first.segment.startLSN
        let stop = try await run(from: position, to: end, passes, visit)
        // No record there or behind: it may be the rest of a segment that a switch left unused, or behind the end.
        guard let found = stop, found.lsn == nil, position > first.segment.startLSN else { return stop }
        return try await run(from: first.segment.startLSN, to: end, passes, visit)
    }

    private func run(
        from position: LSN, to end: LSN?, _ passes: (@Sendable (WALSegment) async throws -> Bool)?,
        _ visit: @escaping @Sendable (WALRecord) throws -> Bool
    ) async throws -> Stop? {
        func follow(from position: LSN) -> WALFollower {
            WALFollower(
                start: start ?? position, readingFrom: position, end: end, segmentSize: chain.segmentSize,
                major: major, visit: visit)
        }
        var (file, follower) = (first, follow(from: position))
        /// Those right before the file that were not read, and where the last record before them ends.
        var (passed, endBefore): ([File], LSN?) = ([], nil)
        var passes = passes
        while true {
            let behind = try await nextIfPassed(file, to: end, passes)
            do {
                if behind != nil, !follower.isWithinRecord { throw WALFollower.Passed() }
                follower.begin(file, takesRestOnly: behind != nil)
                try await archive.unpack(file.object) { [follower] in try follower.take($0) }
            } catch is WALFollower.Ended { return nil } catch is WALFollower.Passed {
                guard let behind else { return nil }
                if passed.isEmpty { endBefore = follower.lastRecordEnd }
                passed.append(file)
                (file, follower) = (behind, follow(from: behind.segment.startLSN))
                continue
            }
            if follower.lastRecordEnd != nil { passed = [] }
            let next = inventory == nil ? nil : try await Self.find(archive, chain, file.segment.number + 1)
            var fault = try await follower.endOfFile(next: next, archive)
            if fault == nil, next == nil { fault = try await endWithoutNext(follower, behind: file) }
            if let fault {
                // Without a record before, it takes what was not read to judge it.
                guard let last = passed.popLast() else {
                    let lsn = follower.lastRecordEnd ?? endBefore
                    return Stop(lsn: lsn, file: archive.place(of: file.object), end: fault)
                }
                (file, follower, passes) = (last, follow(from: last.segment.startLSN), nil)
                continue
            }
            if let next { file = next }
        }
    }

    /// - Returns: The file that follows on one that need not be read.
    private func nextIfPassed(
        _ file: File, to end: LSN?, _ passes: (@Sendable (WALSegment) async throws -> Bool)?
    ) async throws -> File? {
        // The last one tells where WAL ends, and that in which the walk ends whether there is more.
        guard let passes, inventory != nil, file.end == nil, file.object.name.kind == .segment,
            end.map({ $0 >= file.segment.endLSN }) ?? true, try await passes(file.segment)
        else { return nil }
        return try await Self.find(archive, chain, file.segment.number + 1)
    }

    // MARK: - Files

    /// That of the first file whose header tells.
    private static func segmentSize(_ archive: WALArchiveReader, _ names: [WALFileName]) async throws -> Int? {
        for try await info in archive.store.listAll(prefix: archive.prefix + (names.first?.text ?? "")) {
            guard let object = archive.object(info), object.name.segment(size: 1 << 20) != nil else { continue }
            guard names.isEmpty || names.contains(object.name), case .readable = object.packing else { continue }
            if case .backup = object.name.kind { continue }
            if let header = WALFileHeader(try await archive.firstPage(of: object)) { return header.segmentSize }
        }
        return nil
    }

    private static func history(_ archive: WALArchiveReader, _ timeline: TimelineID) async throws -> TimelineHistory? {
        guard timeline > 1, let name = WALFileName(TimelineHistoryFile.name(of: timeline)),
            let content = try await archive.content(of: name)
        else { return nil }
        do { return try TimelineHistory(parsing: content, timeline: timeline) } catch {
            throw WALArchiveError.damaged("\(archive.place)/\(name) is damaged: \(error)")
        }
    }

    private static func find(
        _ archive: WALArchiveReader, _ chain: WALSegmentChain, _ number: UInt64
    ) async throws -> File? {
        for candidate in chain.candidates(number: number) {
            if let object = try await archive.object(WALFileName(candidate.segment)) {
                return File(object: object, segment: candidate.segment, end: candidate.end)
            }
        }
        return nil
    }

    /// There is no file of the segment that follows: whether there are later ones.
    private func endWithoutNext(_ follower: WALFollower, behind file: File) async throws -> WALEnd {
        guard let inventory else { return .end(reason: follower.cutText("the file ends")) }
        let missing = WALSegment(
            timeline: file.segment.timeline, number: file.segment.number + 1, size: chain.segmentSize)
        let reason = follower.cutText("\(missing) is not there")
        if let number = inventory.numberBehind(missing.number, chain),
            let later = try await Self.find(archive, chain, number),
            let header = WALFileHeader(try await archive.firstPage(of: later.object)),
            header.address == later.segment.startLSN
        {
            return .damage(reason: "\(reason), but \(later.object.name) is")
        }
        return .end(reason: reason)
    }
}

extension WALArchiveReader {
    /// For messages: the storage, and where in it.
    var place: String {
        let folder = prefix.hasSuffix("/") ? prefix.dropLast() : prefix[...]
        return folder.isEmpty ? "\(store.location)" : "\(store.location)/\(folder)"
    }

    func place(of object: WALObject) -> String { "\(store.location)/\(object.key)" }

    /// What lies under a name, or of a segment what was there before it was whole.
    func object(_ name: WALFileName) async throws -> WALObject? {
        if let object = try await whole(name) { return object }
        guard name.kind == .segment else { return nil }
        if let object = try await unfinished(of: name).last { return object }
        guard let partial = WALFileName(name.text + ".partial") else { return nil }
        return try await whole(partial)
    }
}

extension WALInventory {
    /// The first segment of the chain that there is.
    func firstNumber(_ chain: WALSegmentChain) -> UInt64? {
        timelines.filter { chain.contains($0.timeline) }.compactMap { $0.firstNumber(chain.segmentSize) }.min()
    }

    /// The first segment of the chain behind one that is missing.
    func numberBehind(_ number: UInt64, _ chain: WALSegmentChain) -> UInt64? {
        timelines.filter { chain.contains($0.timeline) }.compactMap { timeline in
            if let first = timeline.first, first.number > number { return first.number }
            guard let last = timeline.last, last.number > number else { return nil }
            return timeline.gaps.first { $0.first.number <= number && $0.last.number >= number }?.last.next.number
        }.min()
    }
}

extension WALInventory.Timeline {
    /// The first segment of which there is at least a part.
    func firstNumber(_ segmentSize: Int) -> UInt64? {
        ([first].compactMap { $0 } + partials.compactMap { $0.segment(size: segmentSize) }).map(\.number).min()
    }
}
