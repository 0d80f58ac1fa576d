import Glibc
import TestSupport
import Testing

@testable import PostgresFormat
@testable import WALRedo

/// What the comparison of GiST pages leaves out: their sequence numbers, and whether they have their downlinks.
enum GiSTSequenceNumbers {
    /// Images show neither of the page that a record gives them. They have them of all other pages.
    static func expectAgreement(
        _ cluster: PostgresCluster, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let redo = PageRedo(major: cluster.installation.major, logsHints: true)
        var pages: [Name: UnsafeMutableRawPointer] = [:]
        let image = UnsafeMutableRawPointer.allocate(byteCount: Page.size, alignment: 8)
        defer {
            for page in pages.values { page.deallocate() }
            image.deallocate()
        }
        var (equal, set, restored) = (0, 0, 0)
        var wrong: [String] = []
        try RedoWorkshop.forEachRecord(cluster) { record in
            guard record.manager == .gist || record.manager == .xlog else { return }
            for index in record.blocks.indices {
                let block = record.blocks[index]
                let name = Name(relation: block.relation, block: block.block)
                let page = pages[name] ?? .allocate(byteCount: Page.size, alignment: 8)
                if pages[name] == nil { memset(page, 0, Page.size) }
                pages[name] = page
                guard (try? redo.apply(record, index, to: RedoPage(page))) != nil, record.manager == .gist,
                    let shown = block.image, !shown.applies, (try? shown.restore(to: image)) != nil,
                    let here = try? GiSTPage(RedoPage(page)), let there = try? GiSTPage(RedoPage(image))
                else { continue }
                if isLeftHalf(record, block) {
                    set += 1
                    if here.nsn != record.endLSN.rawValue || here.followsRight {
                        wrong.append("\(record.endLSN) is not set")
                    }
                    // What it would be if this were not to compare with.
                    guard restore(redo, record, index, to: image) else { continue }
                    restored +=
                        memcmp(page + GiSTPage.special, image + GiSTPage.special, GiSTPage.specialSize) == 0 ? 1 : 0
                } else if here.nsn == there.nsn, here.followsRight == there.followsRight {
                    equal += 1
                } else {
                    wrong.append("\(record.endLSN), block \(block.id): \(here.nsn) and not \(there.nsn)")
                }
            }
        }
        #expect(wrong.isEmpty, "\(wrong.prefix(5))", sourceLocation: sourceLocation)
        #expect(
            set > 100 && restored == set && equal > 10_000, "\((equal, set, restored))", sourceLocation: sourceLocation)
    }

    private struct Name: Hashable {
        let relation: RelationLocator
        let block: UInt32
    }

    private static func isLeftHalf(_ record: WALRecord, _ block: WALBlockReference) -> Bool {
        record.operation == GiSTRedo.Operation.pageUpdate && block.id == 1
            || record.operation == GiSTRedo.Operation.pageSplit && block.id == 0
    }

    /// Redoes the record as if its image were to be put in the page's place.
    private static func restore(
        _ redo: PageRedo, _ record: WALRecord, _ index: Int, to page: UnsafeMutableRawPointer
    ) -> Bool {
        let blocks = record.blocks.map { block in
            WALBlockReference(
                id: block.id, fork: block.fork, relation: block.relation, block: block.block,
                initializes: block.initializes, image: block.image.map(applied), data: block.data)
        }
        return blocks.withUnsafeBufferPointer { blocks in
            let applied = WALRecord(
                startLSN: record.startLSN, endLSN: record.endLSN, previousLSN: record.previousLSN, xid: record.xid,
                manager: record.manager, info: record.info, length: record.length, origin: nil, topLevelXid: nil,
                blocks: blocks, mainData: record.mainData)
            return (try? redo.apply(applied, index, to: RedoPage(page))) == .restored
        }
    }

    private static func applied(_ image: WALPageImage) -> WALPageImage {
        WALPageImage(
            bytes: image.bytes, holeOffset: image.holeOffset, holeLength: image.holeLength,
            compression: image.compression, applies: true)
    }
}

extension GiSTPage {
    fileprivate var followsRight: Bool { flags & Flag.followRight != 0 }
}
