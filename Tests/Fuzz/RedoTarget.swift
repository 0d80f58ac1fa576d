import Glibc
import PostgresFormat
import WALRedo

/// Any record of a manager for any pages.
enum RedoTarget {
    /// - Parameter page: As it was before the record: what lies in the middle of it, unused, is left out.
    static func seed(major: Int, _ record: [UInt8], _ page: UnsafeRawBufferPointer) -> FuzzSeed {
        var seed = FuzzSeed(major: major)
        seed.append(UInt8(0))  // hints are logged
        let (lower, upper) = (
            page.loadUnaligned(fromByteOffset: 12, as: UInt16.self),
            page.loadUnaligned(fromByteOffset: 14, as: UInt16.self)
        )
        let hasHole = lower < upper && Int(upper) <= Page.size
        let parts = hasHole ? [page[..<Int(lower)], page[Int(upper)...]] : [page[...], page[..<0]]
        for part in parts {
            seed.append(UInt16(part.count))
            seed.append(part)
        }
        seed.append(record)
        return seed
    }

    static func take(_ bytes: UnsafeRawBufferPointer, _ manager: ResourceManager) {
        var input = FuzzInput(bytes)
        let major = input.major()
        let redo = PageRedo(major: major, logsHints: input.byte() & 1 == 0)
        // Pages have something at the front and at the end.
        let front = input.bytes(min(Int(input.number()), Page.size))
        let back = input.bytes(min(Int(input.number()), Page.size))
        input.withRecord(manager, major: major) { record in
            for index in record.blocks.indices {
                let page = UnsafeMutableRawBufferPointer.allocate(byteCount: Page.size, alignment: 8)
                defer { page.deallocate() }
                page.initializeMemory(as: UInt8.self, repeating: 0)
                page.copyMemory(from: front)
                UnsafeMutableRawBufferPointer(rebasing: page.suffix(back.count)).copyMemory(from: back)
                memset(page.baseAddress!, 0, 8)  // no page is newer than the record
                let redone = RedoPage(page.baseAddress!)
                _ = try? redo.apply(record, index, to: redone)
                ConsistencyMask.apply(manager, redone, block: record.blocks[index].block)
            }
        }
    }
}
