@testable import PostgresFormat

extension RedoWorkshop {
    /// A record that no server wrote, newer than any page.
    static func withRecord<Result>(
        _ manager: ResourceManager, info: UInt8, _ main: UnsafeRawBufferPointer, _ blocks: [WALBlockReference],
        _ body: (WALRecord) throws -> Result
    ) rethrows -> Result {
        let start = LSN(rawValue: 0x7FFF_FFFF_0000_0000)
        return try blocks.withUnsafeBufferPointer { blocks in
            try body(
                WALRecord(
                    startLSN: start, endLSN: LSN(rawValue: start.rawValue + 64), previousLSN: start, xid: 1,
                    manager: manager, info: info, length: 64, origin: nil, topLevelXid: nil, blocks: blocks,
                    mainData: main))
        }
    }
}
