import Glibc
import PostgresFormat
import WALRedo

/// A byte that differs.
public struct PageDifference: Sendable, Hashable, CustomStringConvertible {
    public let offset: Int
    public let here: UInt8
    public let there: UInt8

    public var description: String { "byte \(offset) is \(Self.hex(here)) and not \(Self.hex(there))" }

    private static func hex(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }
}

/// Compares pages where both are masked.
struct PageCheck: ~Copyable {
    private let here = UnsafeMutableRawPointer.allocate(byteCount: Page.size, alignment: 8)
    private let there = UnsafeMutableRawPointer.allocate(byteCount: Page.size, alignment: 8)
    /// How many are shown of a page.
    private static let shown = 8

    deinit {
        here.deallocate()
        there.deallocate()
    }

    /// The first bytes in which a page is not the image.
    func differences(
        _ page: UnsafeRawPointer, _ image: WALPageImage, _ manager: ResourceManager, block: UInt32
    ) throws(RedoFault) -> [PageDifference] {
        here.copyMemory(from: page, byteCount: Page.size)
        try image.restore(to: there)
        return differences(manager, block)
    }

    /// The first bytes in which two pages differ.
    ///
    /// - Parameter manager: Nil: they are compared as they are.
    func differences(
        _ page: UnsafeRawPointer, _ other: UnsafeRawPointer, _ manager: ResourceManager?, block: UInt32
    ) -> [PageDifference] {
        here.copyMemory(from: page, byteCount: Page.size)
        there.copyMemory(from: other, byteCount: Page.size)
        return differences(manager, block)
    }

    private func differences(_ manager: ResourceManager?, _ block: UInt32) -> [PageDifference] {
        if let manager {
            ConsistencyMask.apply(manager, RedoPage(here), block: block)
            ConsistencyMask.apply(manager, RedoPage(there), block: block)
        }
        var found: [PageDifference] = []
        guard memcmp(here, there, Page.size) != 0 else { return found }
        for offset in 0..<Page.size where found.count < Self.shown {
            let (mine, its) = (
                here.load(fromByteOffset: offset, as: UInt8.self), there.load(fromByteOffset: offset, as: UInt8.self)
            )
            if mine != its { found.append(PageDifference(offset: offset, here: mine, there: its)) }
        }
        return found
    }
}
