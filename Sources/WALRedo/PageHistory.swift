public import PostgresFormat

/// What has to be done to have a page as it was at some point of the WAL.
public struct PageHistory: Sendable {
    /// What the steps begin with.
    public enum Origin: Hashable, Sendable {
        /// The first step has an image of the page or makes it anew.
        case record
        /// The page was not there: it is all zeros.
        case nothing
        /// This page, as it was before the first index. It is another one where a database was copied meanwhile.
        case base(PageKey)
    }

    public struct Step: Hashable, Sendable {
        public enum Action: Hashable, Sendable {
            /// Redo of the record's reference to the page.
            case redo
            /// Bits are cleared in a page of a visibility map that the record has no reference to.
            case clearMap
            /// The heap was cut to so many blocks, and this is the last page of its visibility map.
            case truncateMap(heapBlocks: UInt32)
        }
        /// Where the record begins.
        public let lsn: LSN
        /// The page as the record names it: another one where a database was copied since.
        public let page: PageKey
        public let action: Action
    }

    public let origin: Origin
    /// The oldest first.
    public let steps: [Step]

    /// Finds a page's history without reading WAL.
    ///
    /// - Parameters:
    ///   - end: Where a record ends: those that begin there or later are left out.
    ///   - indexes: Of consecutive segments, up to the one that `end` lies in.
    /// - Throws: `FormatError`: an index is damaged, or one is missing.
    public init(of page: PageKey, before end: LSN, in indexes: [WALPageIndex]) throws(FormatError) {
        var search = Search(key: page, limit: end)
        for position in indexes.indices.reversed() {
            let index = indexes[position]
            guard index.segment.startLSN < search.limit else { continue }
            let next = position + 1 < indexes.count ? indexes[position + 1].segment.startLSN : .max
            guard index.end >= min(end, next), next == .max || next == index.segment.endLSN else {
                throw .invalid("the page index of \(index.segment) ends at \(index.end), and the next one begins later")
            }
            if let origin = try search.goBack(over: index) {
                self.origin = origin
                steps = search.steps.reversed()
                return
            }
        }
        origin = .base(search.key)
        steps = search.steps.reversed()
    }

    private struct Search {
        var key: PageKey
        var limit: LSN
        /// The newest first.
        var steps: [Step] = []

        /// - Returns: Nil where the page was there before the index.
        mutating func goBack(over index: WALPageIndex) throws(FormatError) -> Origin? {
            var positions = try index.positions(of: key)
            var changes = index.fileChanges[...]
            while true {
                while let last = positions.last, last.lsn >= limit { positions.removeLast() }
                while let last = changes.last, last.lsn >= limit || !last.kind.concerns(key) { changes.removeLast() }
                let position = positions.last
                if let change = changes.last, change.lsn >= position?.lsn ?? .invalid {
                    changes.removeLast()
                    switch change.kind {
                    case .databaseCopied(_, let source):
                        (key.fork.tablespace, key.fork.database) = (source.tablespace, source.database)
                        limit = change.lsn
                        positions = try index.positions(of: key)
                    case .truncated(_, let blocks, _) where key.isLastOfMap(heapBlocks: blocks):
                        steps.append(Step(lsn: change.lsn, page: key, action: .truncateMap(heapBlocks: blocks)))
                    default: return .nothing
                    }
                    continue
                }
                guard let position else { return nil }
                positions.removeLast()
                let action: Step.Action = position.flags.contains(.clearsMap) ? .clearMap : .redo
                steps.append(Step(lsn: position.lsn, page: key, action: action))
                if position.flags.isBase { return .record }
            }
        }
    }
}

extension LSN {
    fileprivate static let max = LSN(rawValue: .max)
}

extension PageKey {
    /// Of the visibility map, once the heap is cut to so many blocks.
    fileprivate func isLastOfMap(heapBlocks: UInt32) -> Bool {
        fork.fork == .visibilityMap && block &+ 1 == VisibilityMap.blocks(heapBlocks: heapBlocks)
    }
}

extension WALPageIndex.FileChange.Kind {
    /// Whether the page is not what it was before. Free space maps are left as they are: nothing relies on them, and what
    /// redo notes there follows from pages of heaps.
    func concerns(_ page: PageKey) -> Bool {
        switch self {
        case .created: false
        case .truncated(let relation, let blocks, let forks):
            if page.fork == relation.fork(.main) {
                forks.contains(.main) && page.block >= blocks
            } else {
                page.fork == relation.fork(.visibilityMap) && forks.contains(.visibilityMap)
                    && UInt64(page.block) + 1 >= VisibilityMap.blocks(heapBlocks: blocks)
            }
        case .dropped(let relation): page.fork.locator == relation
        case .databaseCreated(let directory), .databaseDropped(let directory), .databaseCopied(let directory, _):
            page.fork.isIn(directory)
        }
    }
}
