public import PostgresFormat

/// Counts of records and their bytes, by resource manager or by type.
public struct WALStatistics: Sendable {
    public struct Count: Sendable, Hashable {
        public var records = 0
        /// Without images.
        public var recordBytes = 0
        public var imageBytes = 0
        public var totalBytes: Int { recordBytes + imageBytes }

        static func += (sum: inout Count, other: Count) {
            sum.records += other.records
            sum.recordBytes += other.recordBytes
            sum.imageBytes += other.imageBytes
        }
    }

    public struct Row: Sendable {
        public let manager: ResourceManager
        /// The type's name; nil where a row is all of a manager's.
        public let type: String?
        public let count: Count
    }

    private let major: Int
    private let countsTypes: Bool
    /// By the manager and the bits of `info` that are its own: there are no more than 65,536.
    private var counts: [Key: Count] = [:]
    private struct Key: Hashable {
        let manager: ResourceManager
        let operation: UInt8
    }

    /// - Parameter countsTypes: Rows are types of records, else managers.
    public init(major: Int, countsTypes: Bool) {
        self.major = major
        self.countsTypes = countsTypes
    }

    public mutating func add(_ record: WALRecord) {
        var operation: UInt8 = 0
        if countsTypes { operation = record.manager == .transaction ? record.operation & 0x70 : record.operation }
        let imageBytes = record.imageBytes
        counts[Key(manager: record.manager, operation: operation), default: Count()] += Count(
            records: 1, recordBytes: record.length - imageBytes, imageBytes: imageBytes)
    }

    public var total: Count { counts.values.reduce(into: Count()) { $0 += $1 } }

    /// Those that occur, in the order of the managers' numbers.
    public var rows: [Row] {
        counts.sorted { ($0.key.manager.rawValue, $0.key.operation) < ($1.key.manager.rawValue, $1.key.operation) }
            .map { key, count in
                let type =
                    countsTypes
                    ? WALRecordDescription.name(key.manager, info: key.operation, major: major) : nil
                return Row(manager: key.manager, type: type, count: count)
            }
    }
}
