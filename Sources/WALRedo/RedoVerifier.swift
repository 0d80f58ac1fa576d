import Glibc
public import PostgresFormat

/// Redoes the records of WAL page by page, and compares each page with the image of it that the record carries, where the
/// server wrote with `wal_consistency_checking`.
///
/// Pages are kept in memory. The first that is known of a page is an image to be restored, or a record that makes it anew;
/// what comes before that is passed over.
public struct RedoVerifier: ~Copyable {
    /// What was found, for one resource manager.
    public struct Count: Sendable, Hashable {
        /// Changes of pages that were redone.
        public var redone = 0
        /// Those of them that were compared.
        public var compared = 0
        /// Changes of pages of which nothing was known.
        public var unknown = 0
        /// Those that could not be redone, or gave another page.
        public var mismatched = 0

        public init() {}
    }

    /// A page that is not what it should be.
    public struct Mismatch: Sendable, CustomStringConvertible {
        public let lsn: LSN
        public let manager: ResourceManager
        public let info: UInt8
        public let page: PageName
        /// Why it could not be redone; nil where it was, and differs.
        public let fault: String?
        /// The first bytes that differ, masked: where, what is here and what the server had.
        public let differences: [(offset: Int, here: UInt8, there: UInt8)]

        public var description: String {
            let what = "\(manager) \(String(info & 0xF0, radix: 16)) at \(lsn), \(page)"
            if let fault { return "\(what): \(fault)" }
            let bytes = differences.map {
                "\($0.offset): \(String($0.here, radix: 16)) and not \(String($0.there, radix: 16))"
            }
            return "\(what): " + bytes.joined(separator: ", ")
        }
    }

    /// A block of a fork.
    public struct PageName: Hashable, Sendable, CustomStringConvertible {
        public let relation: RelationLocator
        public let fork: ForkKind
        public let block: UInt32
        public var description: String { "\(relation)\(fork.suffix) block \(block)" }
    }

    private let redo: PageRedo
    private var pages: [PageName: UnsafeMutableRawPointer] = [:]
    private let here = UnsafeMutableRawPointer.allocate(byteCount: Page.size, alignment: 8)
    private let there = UnsafeMutableRawPointer.allocate(byteCount: Page.size, alignment: 8)
    public private(set) var counts: [ResourceManager: Count] = [:]
    /// Pages that were compared, by the records' operations.
    public private(set) var compared: [ResourceManager: [UInt8: Int]] = [:]
    /// The first ones of each resource manager.
    public private(set) var mismatches: [Mismatch] = []
    private static let shownMismatches = 10
    private static let shownDifferences = 8

    public init(_ redo: PageRedo) { self.redo = redo }

    deinit {
        for page in pages.values { page.deallocate() }
        here.deallocate()
        there.deallocate()
    }

    /// Takes the next record.
    public mutating func take(_ record: WALRecord) {
        for index in record.blocks.indices {
            let block = record.blocks[index]
            let name = PageName(relation: block.relation, fork: block.fork, block: block.block)
            let isNew = block.initializes || block.image?.applies == true
            let bytes: UnsafeMutableRawPointer
            if let known = pages[name] {
                bytes = known
            } else if isNew {
                bytes = .allocate(byteCount: Page.size, alignment: 8)
                bytes.initializeMemory(as: UInt8.self, repeating: 0, count: Page.size)
                pages[name] = bytes
            } else {
                counts[record.manager, default: Count()].unknown += 1
                continue
            }
            do {
                let outcome = try redo.apply(record, index, to: RedoPage(bytes))
                counts[record.manager, default: Count()].redone += 1
                if outcome != .alreadyDone, outcome != .restored, record.hasConsistencyImages, let image = block.image {
                    try compare(record, name, bytes, image)
                }
            } catch {
                note(record, name, fault: error.reason)
                // What is wrong is told once: what follows goes on from the server's own page, or from the next image.
                if let image = block.image, (try? image.restore(to: bytes)) != nil {
                    RedoPage(bytes).lsn = record.endLSN
                } else {
                    pages[name] = nil
                    bytes.deallocate()
                }
            }
        }
    }

    private mutating func compare(
        _ record: WALRecord, _ name: PageName, _ bytes: UnsafeMutableRawPointer, _ image: WALPageImage
    ) throws(RedoFault) {
        guard ConsistencyMask.exists(for: record.manager) else { return }
        here.copyMemory(from: bytes, byteCount: Page.size)
        try image.restore(to: there)
        ConsistencyMask.apply(record.manager, RedoPage(here), block: name.block)
        ConsistencyMask.apply(record.manager, RedoPage(there), block: name.block)
        counts[record.manager, default: Count()].compared += 1
        compared[record.manager, default: [:]][record.operation, default: 0] += 1
        guard memcmp(here, there, Page.size) != 0 else { return }
        var differences: [(offset: Int, here: UInt8, there: UInt8)] = []
        for offset in 0..<Page.size {
            let (mine, its) = (
                here.load(fromByteOffset: offset, as: UInt8.self), there.load(fromByteOffset: offset, as: UInt8.self)
            )
            guard mine != its else { continue }
            differences.append((offset, mine, its))
            if differences.count == Self.shownDifferences { break }
        }
        note(record, name, differences: differences)
        try image.restore(to: bytes)
        RedoPage(bytes).lsn = record.endLSN
    }

    private mutating func note(
        _ record: WALRecord, _ name: PageName, fault: String? = nil,
        differences: [(offset: Int, here: UInt8, there: UInt8)] = []
    ) {
        counts[record.manager, default: Count()].mismatched += 1
        guard counts[record.manager, default: Count()].mismatched <= Self.shownMismatches else { return }
        mismatches.append(
            Mismatch(
                lsn: record.startLSN, manager: record.manager, info: record.info, page: name, fault: fault,
                differences: differences))
    }
}
