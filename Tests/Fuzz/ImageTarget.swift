import Glibc
import PostgresFormat
import WALRedo

/// Images of pages that no server wrote, with and without holes, compressed in all ways.
enum ImageTarget {
    static func seed(_ image: WALPageImage) -> FuzzSeed {
        let compression: UInt8 =
            switch image.compression {
            case .none: 0
            case .pglz: 1
            case .lz4: 2
            case .zstd: 3
            }
        var seed = FuzzSeed()
        seed.append(compression << 1 | (image.holeLength > 0 ? 1 : 0))
        seed.append(UInt16(image.holeOffset))
        seed.append(UInt16(image.holeLength))
        seed.append(image.bytes)
        return seed
    }

    static func take(_ bytes: UnsafeRawBufferPointer) {
        var input = FuzzInput(bytes)
        let flags = input.byte()
        let (holeOffset, holeLength) = (input.number(), input.number())
        // Of PostgreSQL 15 and later; images that are not compressed fill the page.
        let compression: UInt8 = [0, 0x04, 0x08, 0x10][Int(flags >> 1 & 3)]
        let isCompressed = compression != 0
        let hasHole = flags & 1 != 0
        let image = input.bytes(isCompressed || hasHole ? Page.size - 1 : Page.size)

        var record = [UInt8](repeating: 0, count: 24)
        func append(_ number: UInt16) { record += [UInt8(truncatingIfNeeded: number), UInt8(number >> 8)] }
        record[16] = 0xB0  // XLOG_FPI
        record += [0, 0x10, 0, 0]  // block 0 has an image, and no data
        append(UInt16(image.count))
        append(hasHole ? holeOffset : 0)
        record.append(compression | (hasHole ? 1 : 0) | 2)
        if isCompressed && hasHole { append(holeLength) }
        record += [UInt8](repeating: 1, count: 16)
        record += image

        let page = UnsafeMutableRawPointer.allocate(byteCount: Page.size, alignment: 8)
        defer { page.deallocate() }
        record.withUnsafeBytes { record in
            var rest = FuzzInput(record)
            rest.withRecord(.xlog, major: 15) { record in
                for block in record.blocks { try? block.image?.restore(to: page) }
            }
        }
    }
}
