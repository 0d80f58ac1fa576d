import Glibc
public import PostgresFormat

/// A change of a page of transaction state. Such pages have no LSN: each change counts once, in order.
///
/// Source: PostgreSQL's `src/backend/access/transam/clog.c`, `multixact.c` and `commit_ts.c`.
public struct SLRUChange {
    public let kind: SLRUKind
    public let page: Int
    let content: Content

    enum Content {
        case zeroed
        /// Those of them that are on the page.
        case status(TransactionStatus, TransactionList)
        case timestamp(TransactionList, time: Int64, origin: UInt16)
        case multixactOffset(UInt32, UInt32)
        /// Of pairs of transaction and status; the number of the first.
        case multixactMembers(UInt32, UnsafeRawBufferPointer)
    }

    /// Whether the page is made anew by it.
    public var isZeroing: Bool { if case .zeroed = content { true } else { false } }

    /// - Parameter bytes: `Page.size` of them; of a page that is not there, zeros.
    public func apply(to bytes: UnsafeMutableRawPointer) {
        switch content {
        case .zeroed: memset(bytes, 0, Page.size)
        case .status(let status, let transactions):
            for xid in transactions where Self.statusPage(xid) == page {
                let index = Int(xid) % Self.statusesPerPage
                let shift = UInt8(index % 4 * 2)
                let old = bytes.load(fromByteOffset: index / 4, as: UInt8.self)
                let new = old & ~(3 << shift) | status.rawValue << shift
                bytes.storeBytes(of: new, toByteOffset: index / 4, as: UInt8.self)
            }
        case .timestamp(let transactions, let time, let origin):
            for xid in transactions where Self.timestampPage(xid) == page {
                let start = Int(xid) % Self.timestampsPerPage * Self.timestampBytes
                bytes.storeBytes(of: time.littleEndian, toByteOffset: start, as: Int64.self)
                bytes.storeBytes(of: origin.littleEndian, toByteOffset: start + 8, as: UInt16.self)
            }
        case .multixactOffset(let multixact, let offset):
            let start = Int(multixact) % Self.offsetsPerPage * 4
            bytes.storeBytes(of: offset.littleEndian, toByteOffset: start, as: UInt32.self)
        case .multixactMembers(let first, let members):
            for index in 0..<members.count / 8 {
                let member = first &+ UInt32(index)
                guard Self.memberPage(member) == page else { continue }
                let (flags, xid) = Self.memberPlace(member)
                (bytes + xid).copyMemory(from: members.baseAddress! + index * 8, byteCount: 4)
                bytes.storeBytes(of: members[index * 8 + 4], toByteOffset: flags, as: UInt8.self)
            }
        }
    }

    // MARK: - Where what is

    static let statusesPerPage = Page.size * 4
    static func statusPage(_ xid: UInt32) -> Int { Int(xid) / statusesPerPage }

    private static let timestampBytes = 10
    static let timestampsPerPage = Page.size / timestampBytes
    static func timestampPage(_ xid: UInt32) -> Int { Int(xid) / timestampsPerPage }

    static let offsetsPerPage = Page.size / 4
    static func offsetPage(_ multixact: UInt32) -> Int { Int(multixact) / offsetsPerPage }

    /// Four bytes of flags, and four transactions.
    private static let memberGroupBytes = 20
    private static let membersPerPage = UInt32(Page.size / memberGroupBytes * 4)
    static func memberPage(_ member: UInt32) -> Int { Int(member / membersPerPage) }

    /// Of the byte with the status, and of the transaction.
    private static func memberPlace(_ member: UInt32) -> (flags: Int, xid: Int) {
        let index = Int(member % membersPerPage)
        let group = index / 4 * memberGroupBytes
        return (group + index % 4, group + 4 + index % 4 * 4)
    }
}

/// What became of a transaction, as two bits say.
public enum TransactionStatus: UInt8, Sendable {
    case committed = 1
    case aborted = 2
}

/// A transaction and its subtransactions.
struct TransactionList: RandomAccessCollection {
    let top: UInt32
    /// Integers of 32 bits.
    let subtransactions: UnsafeRawBufferPointer

    var startIndex: Int { 0 }
    var endIndex: Int { 1 + subtransactions.count / 4 }

    subscript(index: Int) -> UInt32 {
        guard index > 0 else { return top }
        return UInt32(littleEndian: subtransactions.loadUnaligned(fromByteOffset: (index - 1) * 4, as: UInt32.self))
    }

    /// The pages on which they are, each once, in order.
    func pages(_ page: (UInt32) -> Int) -> [Int] { Set(map(page)).sorted() }
}
