import PostgresFormat
import TestSupport
import Testing

/// In how many ways the records of SP-GiST were redone: what they do depends on more than their operation.
enum SPGiSTShapes {
    /// Of pages that were changed or made by redo, not by an image.
    static func expectAll(_ cluster: PostgresCluster, sourceLocation: SourceLocation = #_sourceLocation) throws {
        var found: Set<String> = []
        try RedoWorkshop.forEachRecord(cluster) { record in
            guard record.manager == .spgist else { return }
            for block in record.blocks where block.image?.applies != true {
                found.formUnion(shapes(record, block))
            }
        }
        let missing = Set(all).subtracting(found).sorted()
        #expect(missing.isEmpty, "\(missing)", sourceLocation: sourceLocation)
    }

    private static let all = [
        "leaf added to a new page", "leaf added", "leaf added to a chain", "dead leaf replaced",
        "leaf added for a parent",
        "null added", "leafs moved from", "leafs moved to", "leafs moved to a new page", "leafs moved for a parent",
        "dead chain moved", "node added in place", "node added elsewhere", "node added in a new page",
        "node moved away",
        "node added with parent 0", "node added with parent 2", "tuple split in place",
        "tuple split elsewhere", "tuple split to a new page", "root picked", "source picked", "source picked anew",
        "destination picked", "destination picked anew", "inner picked", "inner picked anew", "inner picked is parent",
        "parent picked", "null chain picked", "leaf vacuumed to dead", "leaf vacuumed to placeholders",
        "leaf vacuumed by moves", "leaf vacuumed by links", "root vacuumed", "redirection ended",
        "placeholders at the end removed",
    ]

    private static func shapes(_ record: WALRecord, _ block: WALBlockReference) -> [String] {
        let main = record.mainData
        func byte(_ offset: Int) -> UInt8 { offset < main.count ? main[offset] : 0 }
        func number(_ offset: Int) -> Int { Int(byte(offset)) | Int(byte(offset + 1)) << 8 }
        let isNew = block.initializes
        switch (record.operation, block.id) {
        case (0x10, 0):
            let (leaf, head) = (number(2), number(4))
            return [
                isNew ? "leaf added to a new page" : "leaf added",
                leaf == head ? "dead leaf replaced" : head != 0 ? "leaf added to a chain" : "",
                byte(1) != 0 ? "null added" : "",
            ]
        case (0x10, 1): return ["leaf added for a parent"]
        case (0x20, 0): return ["leafs moved from"]
        case (0x20, 1):
            return [isNew ? "leafs moved to a new page" : "leafs moved to", byte(3) != 0 ? "dead chain moved" : ""]
        case (0x20, 2): return ["leafs moved for a parent"]
        case (0x30, 0):
            let isHere = record.block(1) == nil
            return [isHere ? "node added in place" : "node moved away", byte(5) == 0 ? "node added with parent 0" : ""]
        case (0x30, 1):
            return [isNew ? "node added in a new page" : "node added elsewhere"]
        case (0x30, 2): return ["node added with parent 2"]
        case (0x40, 0): return [byte(5) != 0 ? "tuple split in place" : ""]
        case (0x40, 1): return [isNew ? "tuple split to a new page" : "tuple split elsewhere"]
        case (0x50, 0):
            return [isNew ? "source picked anew" : "source picked", byte(11) != 0 ? "null chain picked" : ""]
        case (0x50, 1): return [isNew ? "destination picked anew" : "destination picked"]
        case (0x50, 2):
            return [
                isNew ? "inner picked anew" : "inner picked", byte(12) != 0 ? "inner picked is parent" : "",
                byte(0) != 0 ? "root picked" : "",
            ]
        case (0x50, 3): return ["parent picked"]
        case (0x60, 0):
            let names = ["to dead", "to placeholders", "by moves", "by links"]
            return names.enumerated().map { number($0 * 2) > 0 ? "leaf vacuumed \($1)" : "" }
        case (0x70, 0): return ["root vacuumed"]
        case (0x80, 0):
            return [number(0) > 0 ? "redirection ended" : "", number(2) > 0 ? "placeholders at the end removed" : ""]
        default: return []
        }
    }
}
