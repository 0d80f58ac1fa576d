import Glibc
import PostgresFormat
import SystemPackage
import WALRedo

/// Transaction state as WAL changes it, over a data directory that stays as it is.
final class ClusterLogs {
    private struct Name: Hashable {
        let kind: SLRUKind
        let page: Int
    }

    private let base: BaseDirectory?
    private let arena: PageArena
    private var pages: [Name: UnsafeMutableRawPointer] = [:]
    /// Segments of the base that were removed.
    private var removed: Set<SLRUSegment> = []

    init(base: BaseDirectory?, scratch: FilePath) throws {
        self.base = base
        arena = try PageArena(directory: scratch)
    }

    func apply(_ change: SLRUChange) throws {
        let name = Name(kind: change.kind, page: change.page)
        if pages[name] == nil {
            let bytes = try arena.allocate()
            if try !readBase(change.kind, change.page, into: bytes) { memset(bytes, 0, Page.size) }
            pages[name] = bytes
        }
        change.apply(to: pages[name]!)
    }

    private func readBase(_ kind: SLRUKind, _ page: Int, into bytes: UnsafeMutableRawPointer) throws -> Bool {
        guard let base, !removed.contains(SLRUSegment(kind: kind, holdingPage: page)) else { return false }
        return try base.readSLRU(kind, page, into: bytes)
    }

    /// - Returns: Whether the page is there.
    func copy(_ kind: SLRUKind, _ page: Int, into bytes: UnsafeMutableRawPointer) throws -> Bool {
        if let known = pages[Name(kind: kind, page: page)] {
            bytes.copyMemory(from: known, byteCount: Page.size)
            return true
        }
        return try readBase(kind, page, into: bytes)
    }

    /// What there is of a kind.
    func segments(_ kind: SLRUKind) throws -> Set<SLRUSegment> {
        let kept = Set(try base?.slruSegments(kind) ?? []).subtracting(removed)
        let made = pages.keys.filter { $0.kind == kind }.map { SLRUSegment(kind: kind, holdingPage: $0.page) }
        return kept.union(made)
    }

    /// Removes all of a kind.
    func removeAll(_ kind: SLRUKind) throws { try remove(kind) { _ in true } }

    /// Removes the segments before the one that has a page, as numbers of transactions go round.
    func truncate(_ kind: SLRUKind, before page: Int) throws {
        let (last, all) = (SLRUSegment(kind: kind, holdingPage: page).number, Self.segmentCount(kind))
        try remove(kind) { (1..<all / 2).contains((last - $0.number + all) % all) }
    }

    /// As many as all numbers of transactions, or of sets of them, need.
    private static func segmentCount(_ kind: SLRUKind) -> Int {
        switch kind {
        case .multixactOffsets: 1 << 16
        case .commitTimestamps: 1 + (1 << 32) / (Page.size / 10 * SLRUSegment.pages)
        default: 1 << 12
        }
    }

    /// Removes the segments from one up to another, round the end.
    func remove(_ kind: SLRUKind, from first: Int, to end: Int) throws {
        let (first, end) = (
            SLRUSegment(kind: kind, holdingPage: first), SLRUSegment(kind: kind, holdingPage: end)
        )
        try remove(kind) { segment in
            first.number <= end.number
                ? first.number <= segment.number && segment.number < end.number
                : first.number <= segment.number || segment.number < end.number
        }
    }

    private func remove(_ kind: SLRUKind, _ isGone: (SLRUSegment) -> Bool) throws {
        for (name, bytes) in pages where name.kind == kind && isGone(SLRUSegment(kind: kind, holdingPage: name.page)) {
            arena.release(bytes)
            pages[name] = nil
        }
        for segment in try base?.slruSegments(kind) ?? [] where isGone(segment) { removed.insert(segment) }
    }
}
