import CChecksum
import PostgresFormat
import WALRedo

/// Page indexes that nothing built; their checksum is right, which no chance would find.
enum IndexTarget {
    static func seed(_ index: [UInt8]) -> FuzzSeed {
        var seed = FuzzSeed()
        seed.append(index)
        return seed
    }

    static func take(_ bytes: UnsafeRawBufferPointer) {
        let crcSize = 4
        guard bytes.count > crcSize else { return }
        var content = Array(bytes)
        let crc = cchecksum_crc32c(0, content, content.count - crcSize)
        withUnsafeBytes(of: crc.littleEndian) { content.replaceSubrange((content.count - crcSize)..., with: $0) }
        guard let index = try? WALPageIndex(parsing: content) else { return }
        _ = try? index.effectPositions()
        for fork in index.touchedForks {
            var last: UInt32 = 0
            try? index.forEachPosition(of: fork) { block, _ in last = block }
            _ = try? index.positions(of: PageKey(fork: fork, block: last))
            _ = try? index.positions(of: PageKey(fork: fork, block: last / 2))
        }
    }
}
