public import PostgresFormat
import WALInspection

/// What replaying WAL has shown.
public struct ReplayReport: Sendable {
    /// Of one resource manager.
    public struct Count: Sendable, Hashable {
        /// Changes of pages that were redone.
        public var redone = 0
        /// Those of them that were compared.
        public var compared = 0
        /// Changes of pages that are not there.
        public var unknown = 0
        /// What could not be redone, or gave another page.
        public var mismatched = 0

        public init() {}
    }

    public internal(set) var records = 0
    /// Of shutdowns: each was compared with what records before it say that was given out.
    public internal(set) var checkpoints = 0
    public private(set) var counts: [ResourceManager: Count] = [:]
    /// Pages that were compared, by the records' operations.
    public private(set) var compared: [ResourceManager: [UInt8: Int]] = [:]
    /// The first ones of each resource manager.
    public private(set) var faults: [ReplayFault] = []
    private static let shownFaults = 10

    public var isSound: Bool { faults.isEmpty }

    mutating func count(_ manager: ResourceManager, _ change: (inout Count) -> Void) {
        change(&counts[manager, default: Count()])
    }

    mutating func countCompared(_ manager: ResourceManager, _ operation: UInt8) {
        counts[manager, default: Count()].compared += 1
        compared[manager, default: [:]][operation, default: 0] += 1
    }

    mutating func note(_ fault: ReplayFault) {
        guard let manager = fault.manager else { return faults.append(fault) }
        counts[manager, default: Count()].mismatched += 1
        if counts[manager]!.mismatched <= Self.shownFaults { faults.append(fault) }
    }
}

/// A record that could not be redone, or a page that came out otherwise.
public struct ReplayFault: Sendable, CustomStringConvertible {
    /// Where the record begins.
    public let lsn: LSN
    /// Nil where it belongs to no record in particular.
    public let manager: ResourceManager?
    /// Of the record, as `pg_waldump` has it.
    public let type: String
    /// Nil where it is no page.
    public let page: PageKey?
    /// Why it could not be redone; nil where it was.
    public let reason: String?
    /// The first bytes that are other than the server's, masked.
    public let differences: [PageDifference]

    init(
        lsn: LSN, manager: ResourceManager?, type: String, page: PageKey?, reason: String? = nil,
        differences: [PageDifference] = []
    ) {
        (self.lsn, self.manager, self.type, self.page) = (lsn, manager, type, page)
        (self.reason, self.differences) = (reason, differences)
    }

    init(
        _ record: WALRecord, major: Int, page: PageKey?, reason: String? = nil, differences: [PageDifference] = []
    ) {
        let type = WALRecordDescription.name(record.manager, info: record.info, major: major)
        self.init(
            lsn: record.startLSN, manager: record.manager, type: type, page: page, reason: reason,
            differences: differences)
    }

    /// Such as `Heap/INSERT at 0/3000028, 1663/5/16384 block 7: byte 24 is 03 and not 01`.
    public var description: String {
        let record = manager.map { "\($0)/\(type) at \(lsn)" } ?? (lsn == .invalid ? nil : "at \(lsn)")
        let place = [record, page?.description].compactMap { $0 }.joined(separator: ", ")
        if let reason { return place.isEmpty ? reason : "\(place): \(reason)" }
        return "\(place): " + differences.map(\.description).joined(separator: ", ")
    }
}
