import CommandKit
import ObjectStorage
import PostgresFormat
import StorageURI
import WALIndexes
import WALRedo

/// Whether a segment need not be read.
typealias WALPassage = @Sendable (WALSegment) async throws -> Bool

extension WALPlace {
    /// What tells by page indexes where nothing is wanted; nil where everything has to be read.
    func passage(_ wanted: WALFilter) async throws -> WALPassage? {
        guard wanted.isOfPages, let indexes else { return nil }
        let store = ReadOnlyStore(try Storages.open(indexes.location, role: .wal))
        // They spare work, and are of no other use: what cannot be had of them is not missed.
        guard let isEmpty = try? await store.isEmpty(prefix: indexes.prefix), !isEmpty else { return nil }
        let reader = WALIndexReader(store, prefix: indexes.prefix)
        return { segment in
            guard case .sound(let index)? = try? await reader.find(segment) else { return false }
            return !wanted.mayMatch(in: index)
        }
    }
}

extension WALFilter {
    /// Whether records are told by the pages that they are about.
    var isOfPages: Bool { relation != nil || fork != nil || block != nil }

    /// False where no record of the segment is about a page that is wanted.
    func mayMatch(in index: WALPageIndex) -> Bool {
        index.touchedForks.contains { candidate in
            guard relation ?? candidate.locator == candidate.locator, fork ?? candidate.fork == candidate.fork else {
                return false
            }
            guard let block else { return true }
            let positions = try? index.positions(of: PageKey(fork: candidate, block: block))
            return positions.map { !$0.isEmpty } ?? true
        }
    }
}
