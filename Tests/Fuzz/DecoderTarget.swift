import PostgresFormat

/// Any bytes as WAL: in pieces, and as a record by themselves, whose CRC no chance would find.
enum DecoderTarget {
    static func take(_ bytes: UnsafeRawBufferPointer) {
        var input = FuzzInput(bytes)
        let major = input.major()
        let size = 1 << 20
        let start = LSN(rawValue: UInt64(size) + UInt64(input.number() & ~7))
        let pieceSize = Int(input.number()) + 1
        read(input.rest, start, pieceSize, major)
        input.withRecord(nil, major: major) { record in
            for block in record.blocks { _ = block.data.first }
            _ = record.mainData.last
        }
    }

    private static func read(_ bytes: UnsafeRawBufferPointer, _ start: LSN, _ pieceSize: Int, _ major: Int) {
        var reader = WALRecordReader(startingAt: start, segmentSize: 1 << 20, major: major)
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
