import Glibc
import TestSupport
import Testing
import WALRedo

@testable import PostgresFormat

/// Redo of what no server writes: there is an error or a page, and what lies beside the page is left alone.
struct RedoFuzz: ~Copyable {
    private let redo: PageRedo
    private let manager: ResourceManager
    fileprivate var random: SeededGenerator
    /// The page, with other bytes before and behind it.
    private let memory: UnsafeMutableRawPointer
    private static let margin = 1 << 16
    /// What pages are filled with, from one place or another: made once, as that takes long.
    private var noise: [UInt8] = []
    private static let untouched: UInt8 = 0xA5
    private(set) var pages = 0
    private(set) var faults = 0

    /// - Parameter seed: Not by chance: whatever ends the process leaves no time to tell it.
    init(_ manager: ResourceManager, major: Int, seed: UInt64) {
        redo = PageRedo(major: major, logsHints: true)
        self.manager = manager
        random = SeededGenerator(seed: seed)
        memory = .allocate(byteCount: Page.size + 2 * Self.margin, alignment: 8)
        memset(memory, Int32(Self.untouched), Page.size + 2 * Self.margin)
        for _ in 0..<4 * Page.size {
            let number = number()
            noise += [UInt8(truncatingIfNeeded: number), UInt8(truncatingIfNeeded: number >> 8)]
        }
    }

    deinit { memory.deallocate() }

    private var page: UnsafeMutableRawPointer { memory + Self.margin }

    var isMarginUntouched: Bool {
        let bytes = UnsafeRawBufferPointer(start: memory, count: Page.size + 2 * Self.margin)
        return bytes.prefix(Self.margin).allSatisfy { $0 == Self.untouched }
            && bytes.suffix(Self.margin).allSatisfy { $0 == Self.untouched }
    }

    /// A random record for a random page, whose header mostly is in order.
    mutating func takeRandom() {
        let start = 2 * Int.random(in: 0..<(noise.count - Page.size) / 2, using: &random)
        noise.withUnsafeBytes { page.copyMemory(from: $0.baseAddress! + start, byteCount: Page.size) }
        if Int.random(in: 0..<8, using: &random) > 0 {
            let special = Page.size - 8 * Int.random(in: 1...2, using: &random)
            let (count, size) = (Int.random(in: 0..<40, using: &random), 8 * Int.random(in: 1...12, using: &random))
            memset(page, 0, 8)
            for (offset, value) in [(12, 24 + 4 * count), (14, special - count * size), (16, special)] {
                store(value, offset)
            }
            for index in 0..<count {
                let line = UInt32(special - (index + 1) * size) | 1 << 15 | UInt32(size) << 17
                page.storeBytes(of: line, toByteOffset: 24 + 4 * index, as: UInt32.self)
            }
        }
        let count = UInt8.random(in: 1...4, using: &random)
        let info = UInt8.random(in: 0...15, using: &random) << 4
        let (main, data) = (randomBytes(), randomBytes())
        let blocks = (0..<count).map { id in
            (id: id, initializes: Int.random(in: 0..<4, using: &random) == 0, data: data)
        }
        apply(info, main, blocks, Int.random(in: 0..<Int(count), using: &random))
    }

    /// A server's record for the page as it was, with a few bytes of either changed.
    mutating func takeChanged(_ record: WALRecord, _ index: Int, _ old: UnsafeRawPointer) {
        page.copyMemory(from: old, byteCount: Page.size)
        var main = [UInt8](record.mainData)
        var blocks = record.blocks.map { (id: $0.id, initializes: $0.initializes, data: [UInt8]($0.data)) }
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            switch Int.random(in: 0..<5, using: &random) {
            case 0: change(&blocks[index].data)
            case 1: store(number(), 2 * Int.random(in: 6..<60, using: &random))
            case 2: store(number(), 2 * Int.random(in: 0..<Page.size / 2, using: &random))
            default: change(&main)
            }
        }
        apply(record.info, main, blocks, index)
    }

    private mutating func change(_ bytes: inout [UInt8]) {
        guard let place = bytes.indices.randomElement(using: &random) else { return }
        if Int.random(in: 0..<8, using: &random) == 0 {
            bytes.removeLast(bytes.count - place)
        } else {
            bytes[place] = UInt8(truncatingIfNeeded: number())
        }
    }

    private func store(_ value: Int, _ offset: Int) {
        page.storeBytes(of: UInt16(truncatingIfNeeded: value), toByteOffset: offset, as: UInt16.self)
    }

    /// As they are found in records: mostly little.
    private mutating func number() -> Int {
        switch Int.random(in: 0..<8, using: &random) {
        case 0...3: Int.random(in: 0...4, using: &random)
        case 4...5: Int.random(in: 0...64, using: &random)
        default: Int.random(in: 0...0xFFFF, using: &random)
        }
    }

    private mutating func randomBytes() -> [UInt8] {
        (0..<Int.random(in: 0...120, using: &random)).map { $0 % 2 == 0 ? UInt8(truncatingIfNeeded: number()) : 0 }
    }

    private mutating func apply(
        _ info: UInt8, _ main: [UInt8], _ blocks: [(id: UInt8, initializes: Bool, data: [UInt8])], _ index: Int
    ) {
        let start = LSN(rawValue: 0x7FFF_FFFF_0000_0000)
        let isDone = main.withUnsafeBytes { main in
            blocks[index].data.withUnsafeBytes { data in
                let references = blocks.enumerated().map { other, block in
                    WALBlockReference(
                        id: block.id, fork: .main, relation: RelationLocator(tablespace: 1, database: 1, relation: 1),
                        block: UInt32(block.id), initializes: block.initializes, image: nil,
                        data: other == index ? data : UnsafeRawBufferPointer(start: nil, count: 0))
                }
                return references.withUnsafeBufferPointer { references in
                    let record = WALRecord(
                        startLSN: start, endLSN: LSN(rawValue: start.rawValue + 64), previousLSN: start, xid: 1,
                        manager: manager, info: info, length: 64, origin: nil, topLevelXid: nil, blocks: references,
                        mainData: main)
                    return (try? redo.apply(record, index, to: RedoPage(page))) != nil
                }
            }
        }
        ConsistencyMask.apply(manager, RedoPage(page), block: 0)
        if isDone { pages += 1 } else { faults += 1 }
    }
}

extension RedoWorkshop {
    /// Random records for random pages.
    static func fuzz(
        manager: ResourceManager, major: Int, seed: UInt64, rounds: Int = 30_000,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        var fuzz = RedoFuzz(manager, major: major, seed: seed)
        for _ in 0..<rounds { fuzz.takeRandom() }
        expectBoth(fuzz, sourceLocation)
    }

    /// A cluster's own records and pages, each changed in a few ways.
    static func fuzz(
        manager: ResourceManager, of cluster: PostgresCluster, seed: UInt64, changes: Int = 1,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        struct Name: Hashable {
            let relation: RelationLocator
            let block: UInt32
        }
        let redo = PageRedo(major: cluster.installation.major, logsHints: true)
        var fuzz = RedoFuzz(manager, major: cluster.installation.major, seed: seed)
        var pages: [Name: UnsafeMutableRawPointer] = [:]
        defer { for page in pages.values { page.deallocate() } }
        try forEachRecord(cluster) { record in
            guard record.manager == manager || record.manager == .xlog else { return }
            for index in record.blocks.indices {
                let block = record.blocks[index]
                let name = Name(relation: block.relation, block: block.block)
                let page = pages[name] ?? .allocate(byteCount: Page.size, alignment: 8)
                if pages[name] == nil { memset(page, 0, Page.size) }
                pages[name] = page
                if record.manager == manager { for _ in 0..<changes { fuzz.takeChanged(record, index, page) } }
                _ = try? redo.apply(record, index, to: RedoPage(page))
            }
        }
        expectBoth(fuzz, sourceLocation)
    }

    /// Some records are redone, and others refused.
    private static func expectBoth(_ fuzz: borrowing RedoFuzz, _ sourceLocation: SourceLocation) {
        let (pages, faults, isUntouched) = (fuzz.pages, fuzz.faults, fuzz.isMarginUntouched)
        #expect(pages > 50 && faults > 50 && isUntouched, "\((pages, faults))", sourceLocation: sourceLocation)
    }
}
