import Glibc
import TestSupport
import WALRedo

@testable import PostgresFormat

/// Redo of what no server writes: there is an error or a page, and what lies beside page and record is left alone.
struct RedoFuzzer: ~Copyable {
    private let redo: PageRedo
    private var random: SeededGenerator
    /// Numbers as they are found in records, 16 bits each: drawn once, as that is slow.
    private let pool: [UInt8]
    private static let poolBytes = 1 << 18
    private let page = GuardedBytes(Page.size)
    private let main = GuardedBytes(1 << 16)
    private let data = GuardedBytes(1 << 16)
    /// How many pages were changed or made, and how many records were refused, by their operations.
    private(set) var outcomes: [UInt8: (pages: Int, faults: Int)] = [:]

    /// - Parameter seed: Not by chance: whatever ends the process leaves no time to tell it.
    init(major: Int, seed: UInt64) {
        redo = PageRedo(major: major, logsHints: true)
        var random = SeededGenerator(seed: seed)
        pool = (0..<Self.poolBytes / 2).flatMap { _ in
            let number = Self.number(&random)
            return [UInt8(truncatingIfNeeded: number), UInt8(truncatingIfNeeded: number >> 8)]
        }
        self.random = random
    }

    /// Mostly little.
    private static func number(_ random: inout SeededGenerator) -> UInt16 {
        switch Int.random(in: 0..<8, using: &random) {
        case 0...2: .random(in: 0...3, using: &random)
        case 3...4: .random(in: 0...64, using: &random)
        case 5: .max
        default: .random(in: 0 ... .max, using: &random)
        }
    }

    private mutating func number() -> UInt16 { Self.number(&random) }

    // MARK: - Out of nothing

    /// A random record for a random page, both of them half-way plausible.
    mutating func takeRandom(_ manager: ResourceManager) {
        fillPage()
        let content = (main: randomBytes(), data: randomBytes())
        let count = Int.random(in: 1...5, using: &random)
        let blocks = (0..<count).map { id in
            WALBlockReference(
                id: UInt8(id), fork: Int.random(in: 0..<8, using: &random) == 0 ? .visibilityMap : .main,
                relation: RelationLocator(tablespace: 1663, database: 1, relation: 1),
                block: UInt32(number()), initializes: Int.random(in: 0..<4, using: &random) == 0, image: nil,
                data: data.fill(content.data))
        }
        let info = UInt8.random(in: 0...15, using: &random) << 4
        apply(manager, info: info, content.main, blocks, .random(in: 0..<count, using: &random))
    }

    /// Specials of all access methods' sizes, and line pointers that lead to items.
    private mutating func fillPage() {
        let page = page.bytes
        page.copyBytes(from: randomBytes(Page.size))
        memset(page.baseAddress!, 0, 8)  // LSN: no page is newer than the record
        guard Int.random(in: 0..<8, using: &random) != 0 else { return }
        let special = Page.size - 8 * Int.random(in: 0...2, using: &random)
        let count = Int.random(in: 0..<40, using: &random)
        let itemBytes = 8 * Int.random(in: 1...12, using: &random)
        let upper = special - count * itemBytes
        store(Page.headerSize + 4 * count, 12)
        store(upper, 14)
        store(special, 16)
        store(0x2004, 18)
        for index in 0..<count where Int.random(in: 0..<50, using: &random) != 0 {
            let line = UInt32(upper + index * itemBytes) | 1 << 15 | UInt32(itemBytes) << 17
            page.storeBytes(of: line, toByteOffset: Page.headerSize + 4 * index, as: UInt32.self)
        }
        if Int.random(in: 0..<16, using: &random) == 0 { store(0, 14) }  // a new page, whatever else it has
    }

    private func store(_ value: Int, _ offset: Int) {
        page.bytes.storeBytes(of: UInt16(truncatingIfNeeded: value), toByteOffset: offset, as: UInt16.self)
    }

    private mutating func randomBytes() -> ArraySlice<UInt8> {
        randomBytes(Int.random(in: 0...2, using: &random) == 0 ? .random(in: 0...200, using: &random) : 128)
    }

    private mutating func randomBytes(_ count: Int) -> ArraySlice<UInt8> {
        let start = 2 * Int.random(in: 0...(pool.count - count) / 2, using: &random)
        return pool[start..<start + count]
    }

    // MARK: - Out of a server's own

    /// A server's record and page, with a few bytes of either changed.
    mutating func takeChanged(_ record: WALRecord, _ index: Int, _ old: UnsafeRawPointer) {
        page.bytes.copyMemory(from: UnsafeRawBufferPointer(start: old, count: Page.size))
        let block = record.blocks[index]
        var content = (main: [UInt8](record.mainData), data: [UInt8](block.data))
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            switch Int.random(in: 0..<4, using: &random) {
            case 0: change(&content.main)
            case 1: changePage()
            default: change(&content.data)
            }
        }
        let blocks = record.blocks.enumerated().map { other, block in
            WALBlockReference(
                id: block.id, fork: block.fork, relation: block.relation, block: block.block,
                initializes: block.initializes, image: nil,
                data: other == index ? data.fill(content.data) : block.data)
        }
        apply(record.manager, info: record.info, content.main, blocks, index)
    }

    private mutating func change(_ bytes: inout [UInt8]) {
        guard let place = bytes.indices.randomElement(using: &random) else { return }
        switch Int.random(in: 0..<8, using: &random) {
        case 0: bytes.removeLast(bytes.count - place)
        case 1: bytes.insert(UInt8(truncatingIfNeeded: number()), at: place)
        default: bytes[place] = UInt8(truncatingIfNeeded: number())
        }
    }

    /// Mostly where it has headers.
    private mutating func changePage() {
        let range =
            switch Int.random(in: 0..<4, using: &random) {
            case 0: 12..<Page.headerSize
            case 1: Page.headerSize..<Page.headerSize + 64
            case 2: Page.size - 16..<Page.size
            default: 0..<Page.size
            }
        let (place, value) = (Int.random(in: range, using: &random), UInt8(truncatingIfNeeded: number()))
        page.bytes[place] = value
    }

    // MARK: - Both

    private mutating func apply(
        _ manager: ResourceManager, info: UInt8, _ content: some Collection<UInt8>, _ blocks: [WALBlockReference],
        _ index: Int
    ) {
        let page = RedoPage(page.bytes.baseAddress!)
        let isDone = RedoWorkshop.withRecord(manager, info: info, main.fill(content), blocks) { record in
            (try? redo.apply(record, index, to: page)) != nil
        }
        ConsistencyMask.apply(manager, page, block: 0)
        if isDone {
            outcomes[info & 0xF0, default: (0, 0)].pages += 1
        } else {
            outcomes[info & 0xF0, default: (0, 0)].faults += 1
        }
    }
}
