import Glibc
import PostgresFormat
import SystemPackage
import WALRedo

extension ClusterReplay {
    /// What was compared with another data directory.
    public struct Comparison: Sendable {
        public internal(set) var pages = 0
        /// Those of them that WAL changed.
        public internal(set) var changedPages = 0
        public internal(set) var logPages = 0
        public internal(set) var relationMaps = 0
        public internal(set) var preparedTransactions = 0
        /// Fields of the control file.
        public internal(set) var controlFields = 0
        /// The first ones.
        public internal(set) var faults: [ReplayFault] = []
        static let shownFaults = 20

        mutating func note(_ page: PageKey?, _ reason: String?, _ differences: [PageDifference] = []) {
            guard faults.count < Self.shownFaults else { return }
            faults.append(
                ReplayFault(
                    lsn: .invalid, manager: nil, type: "", page: page, reason: reason, differences: differences))
        }
    }

    /// Compares everything with what PostgreSQL's own recovery made of the same base and WAL: all pages, of relations
    /// under the masks of the resource managers that changed them last, transaction state, relation maps, prepared
    /// transactions and the control file.
    ///
    /// Relations that are not logged are left out, which recovery resets. So are free space maps where hints are
    /// logged: recovery does not write all of what it notes there then.
    ///
    /// - Parameter there: A server was shut down there, and has written everything.
    /// - Throws: `Errno`.
    public func compare(with there: BaseDirectory) throws -> Comparison {
        var comparison = Comparison()
        let files = try there.relationForks()
        let unlogged = Set(files.filter { $0.fork == .initialization }.map(\.locator))
        func counts(_ fork: RelationFork) -> Bool {
            fork.fork == .initialization
                || !unlogged.contains(fork.locator) && (fork.fork != .freeSpaceMap || !redo.logsHints)
        }
        let theirs = Set(files.filter(counts))
        for fork in theirs.sorted() { try compare(fork, with: there, &comparison) }
        for fork in pages.touched where counts(fork) && !theirs.contains(fork) {
            comparison.note(PageKey(fork: fork, block: 0), "it is not there in \(there.path)")
        }
        for kind in [SLRUKind.transactions, .multixactOffsets, .multixactMembers, .commitTimestamps] {
            try compare(kind, with: there, &comparison)
        }
        try compareRelationMaps(with: there, &comparison)
        try comparePrepared(with: there, &comparison)
        if let (compared, differences) = control?.differences(from: there.control) {
            comparison.controlFields = compared
            for difference in differences { comparison.note(nil, "\(there.path)/global/pg_control: \(difference)") }
        }
        return comparison
    }

    private func compare(_ fork: RelationFork, with there: BaseDirectory, _ comparison: inout Comparison) throws {
        let (mine, its) = (try pages.blockCount(fork), try there.blockCount(fork) ?? 0)
        guard let mine else {
            return comparison.note(PageKey(fork: fork, block: 0), "it is not here, and in \(there.path)")
        }
        let check = PageCheck()
        try withPages { here, other in
            for block in 0..<max(mine, its) {
                let key = PageKey(fork: fork, block: block)
                let manager = block < mine ? try pages.copy(key, into: here) : nil
                if block >= mine { memset(here, 0, Page.size) }
                if try block >= its || !there.readPage(fork, block, into: other) { memset(other, 0, Page.size) }
                comparison.pages += 1
                if manager != nil { comparison.changedPages += 1 }
                // Pages behind the end are zeros: growing is not logged.
                let differences: [PageDifference]
                if fork.fork == .main || fork.fork == .initialization {
                    differences = check.differences(here, other, manager, block: block)
                } else {
                    for page in [here, other] { maskMap(fork.fork, RedoPage(page)) }
                    differences = check.differences(here, other, nil, block: block)
                }
                if !differences.isEmpty { comparison.note(key, nil, differences) }
            }
        }
    }

    /// The masks of heaps leave nothing of maps.
    private func maskMap(_ kind: ForkKind, _ page: RedoPage) {
        memset(page.bytes + Self.checksumOffset, 0, 2)
        if kind == .freeSpaceMap { FreeSpaceMap.maskNext(page) }
    }

    private static let checksumOffset = 8

    private func compare(_ kind: SLRUKind, with there: BaseDirectory, _ comparison: inout Comparison) throws {
        let check = PageCheck()
        let theirs = try there.slruSegments(kind)
        for segment in try logs.segments(kind).subtracting(theirs) {
            comparison.note(nil, "\(kind.directory)/\(segment.fileName(major: major)) is not there in \(there.path)")
        }
        try withPages { here, other in
            for segment in theirs {
                for page in segment.firstPage..<segment.firstPage + SLRUSegment.pages {
                    guard try there.readSLRU(kind, page, into: other) else { continue }
                    if try !logs.copy(kind, page, into: here) { memset(here, 0, Page.size) }
                    comparison.logPages += 1
                    let differences = check.differences(here, other, nil, block: 0)
                    if !differences.isEmpty {
                        let bytes = differences.map(\.description).joined(separator: ", ")
                        comparison.note(nil, "\(kind.directory) page \(page): \(bytes)")
                    }
                }
            }
        }
    }

    private func compareRelationMaps(with there: BaseDirectory, _ comparison: inout Comparison) throws {
        for (directory, content) in relationMaps {
            comparison.relationMaps += 1
            let path = directory.path(versionDirectory: there.versionDirectory) + "/pg_filenode.map"
            let theirs = try there.content(path)
            if theirs != content { comparison.note(nil, "\(path) differs") }
        }
    }

    private func comparePrepared(with there: BaseDirectory, _ comparison: inout Comparison) throws {
        let names = try there.names(in: "pg_twophase")
        for (xid, state) in prepared {
            comparison.preparedTransactions += 1
            let digits = hexadecimal(UInt64(xid), digits: 8)
            guard let name = names.first(where: { $0.hasSuffix(digits) }),
                let file = try there.content("pg_twophase/\(name)")
            else {
                comparison.note(nil, "the prepared transaction \(xid) is not there")
                continue
            }
            if file.dropLast(4) != state[...] { comparison.note(nil, "pg_twophase/\(name) differs") }
        }
        if names.count != prepared.count {
            comparison.note(nil, "\(names.count) prepared transactions are there, and \(prepared.count) here")
        }
    }

    private func withPages(_ body: (UnsafeMutableRawPointer, UnsafeMutableRawPointer) throws -> Void) rethrows {
        let pages = UnsafeMutableRawPointer.allocate(byteCount: 2 * Page.size, alignment: 8)
        defer { pages.deallocate() }
        try body(pages, pages + Page.size)
    }
}
