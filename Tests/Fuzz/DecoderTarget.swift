import PostgresFormat

/// Any bytes as WAL: in pieces, and as a record by themselves, whose CRC no chance would find.
enum DecoderTarget {
    private static let segmentSize = 1 << 20

    /// - Parameter wal: As a server with segments of 1 MiB has it from there on.
    static func seed(major: Int, _ wal: some Sequence<UInt8>, start: LSN, pieceSize: UInt16) -> FuzzSeed {
        var seed = FuzzSeed(major: major)
        seed.append(UInt32(truncatingIfNeeded: (start.rawValue - UInt64(segmentSize)) / 8))
        seed.append(pieceSize - 1)
        seed.append(wal)
        return seed
    }

    static func take(_ bytes: UnsafeRawBufferPointer) {
        var input = FuzzInput(bytes)
        let major = input.major()
        let start = LSN(rawValue: UInt64(segmentSize) + UInt64(input.longNumber()) * 8)
        let pieceSize = Int(input.number()) + 1
        read(input.rest, start, pieceSize, major)
        input.withRecord(nil, major: major) { record in
            for block in record.blocks { _ = block.data.first }
            _ = record.mainData.last
        }
    }

    private static func read(_ bytes: UnsafeRawBufferPointer, _ start: LSN, _ pieceSize: Int, _ major: Int) {
        var reader = WALRecordReader(startingAt: start, segmentSize: segmentSize, major: major)
        var input = FuzzInput(bytes)
        while !input.rest.isEmpty {
            var piece = input.bytes(pieceSize)
            do { while try reader.next(&piece) != nil {} } catch {
                _ = reader.endSearch(after: error)
                return
            }
        }
    }
}
