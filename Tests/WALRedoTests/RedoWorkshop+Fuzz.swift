import Glibc
import PostgresFormat
import TestSupport
import Testing
import WALRedo

extension RedoWorkshop {
    /// Random records for random pages, without a server: some are redone, and others refused.
    static func fuzz(
        manager: ResourceManager, major: Int, seed: UInt64, rounds: Int = 20_000,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        var fuzzer = RedoFuzzer(major: major, seed: seed)
        for _ in 0..<rounds { fuzzer.takeRandom(manager) }
        let pages = fuzzer.outcomes.values.reduce(0) { $0 + $1.pages }
        #expect(pages > 0 && pages < rounds, "\(fuzzer.outcomes)", sourceLocation: sourceLocation)
    }

    /// One in four of a cluster's own records of a manager, and their pages, both of them changed a little.
    static func fuzz(
        manager: ResourceManager, of cluster: PostgresCluster, seed: UInt64,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let major = cluster.installation.major
        let redo = PageRedo(major: major, logsHints: true)
        var fuzzer = RedoFuzzer(major: major, seed: seed)
        var takes = SeededGenerator(seed: seed)
        var pages: [PageKey: UnsafeMutableRawPointer] = [:]
        defer { for page in pages.values { page.deallocate() } }
        try forEachRecord(cluster) { record in
            for index in record.blocks.indices {
                let block = record.blocks[index]
                let page = pages[block.page] ?? .allocate(byteCount: Page.size, alignment: 8)
                if pages[block.page] == nil { memset(page, 0, Page.size) }
                pages[block.page] = page
                if record.manager == manager, block.image?.applies != true, takes.next() & 3 == 0 {
                    fuzzer.takeChanged(record, index, page)
                }
                _ = try? redo.apply(record, index, to: RedoPage(page))
            }
        }
        let outcomes = fuzzer.outcomes
        #expect(outcomes.values.contains { $0.pages > 0 }, "\(outcomes)", sourceLocation: sourceLocation)
        #expect(outcomes.values.contains { $0.faults > 0 }, "\(outcomes)", sourceLocation: sourceLocation)
    }
}
