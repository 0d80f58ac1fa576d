import Foundation
import PostgresFormat
import SystemPackage
import TestSupport
import Testing
import WALReplay

/// Redo beside PostgreSQL's own pages: a server with `wal_consistency_checking` says after each record how they look.
enum RedoWorkshop {
    /// A cluster's WAL over the data directory as it was made.
    ///
    /// - Parameter end: Records that begin there or behind it are left out.
    static func replay(_ cluster: PostgresCluster, to end: LSN? = nil) throws -> ClusterReplay {
        let replay = try ClusterReplay(
            base: base(cluster), major: cluster.installation.major, scratch: FilePath(NSTemporaryDirectory()))
        try forEachRecord(cluster, to: end) { try replay.take($0) }
        replay.finish()
        return replay
    }

    /// A cluster's WAL since its data directory was made, record by record.
    static func forEachRecord(
        _ cluster: PostgresCluster, to end: LSN? = nil, _ body: (WALRecord) throws -> Void
    ) throws {
        let size = 1 << 20
        let directory = cluster.dataDirectory + "/pg_wal"
        let start = try base(cluster).control.checkpointCopy.redo
        let segments = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
            .compactMap { WALSegment(fileName: $0, size: size) }.filter { $0.endLSN > start }
        var reader = WALRecordReader(startingAt: start, segmentSize: size, major: cluster.installation.major)
        for segment in segments {
            let content = try Data(contentsOf: URL(fileURLWithPath: "\(directory)/\(segment.fileName)"))
            let isOver = try content.withUnsafeBytes { content in
                var rest = UnsafeRawBufferPointer(
                    rebasing: content[max(0, Int(start.rawValue) - Int(segment.startLSN.rawValue))...])
                do {
                    while let record = try reader.next(&rest) {
                        if let end, record.startLSN >= end { return true }
                        try body(record)
                    }
                } catch is FormatError { return true }
                return false
            }
            if isOver { return }
        }
    }

    /// A copy of the data directory from before it was started.
    static func baseDirectory(_ cluster: PostgresCluster) -> String { cluster.dataDirectory + ".base" }
    static func base(_ cluster: PostgresCluster) throws -> BaseDirectory {
        try BaseDirectory(FilePath(baseDirectory(cluster)))
    }

    static func cluster(
        _ major: Int, _ lines: [String] = [], checksums: Bool = true
    ) throws -> PostgresCluster {
        try plainCluster(
            major,
            [
                "wal_consistency_checking = all", "wal_keep_size = 4GB", "max_wal_size = 4GB", "autovacuum = off",
                "max_prepared_transactions = 5",
            ] + lines, checksums: checksums)
    }

    /// With segments of 1 MiB, and a copy from before its first start.
    ///
    /// - Parameter prepare: Changes the data directory, before it is copied.
    static func plainCluster(
        _ major: Int, _ lines: [String], checksums: Bool = true, prepare: (PostgresCluster) throws -> Void = { _ in }
    ) throws -> PostgresCluster {
        let cluster = try PostgresCluster(
            major: major, .init(checksums: checksums, walSegmentMegabytes: 1, configuration: lines))
        try prepare(cluster)
        _ = try run(["cp", "-a", cluster.dataDirectory, baseDirectory(cluster)])
        try cluster.start()
        return cluster
    }

    /// Redoes all of a cluster's WAL: every page is the server's, after every record.
    ///
    /// - Parameters:
    ///   - leasts: More than so many pages of each of these managers have to be compared.
    ///   - operations: Of the first of them, each has to be among what was compared.
    static func expectAgreement(
        _ cluster: PostgresCluster, _ leasts: [(manager: ResourceManager, pages: Int)], operations: [UInt8] = [],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        expectAgreement(
            try replay(cluster).report, leasts, operations: operations, sourceLocation: sourceLocation)
    }

    /// The same of what was replayed already.
    static func expectAgreement(
        _ report: ReplayReport, _ leasts: [(manager: ResourceManager, pages: Int)], operations: [UInt8] = [],
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(
            report.isSound, "\(report.faults.map(\.description).joined(separator: "\n"))",
            sourceLocation: sourceLocation)
        for (manager, pages) in leasts {
            let count = report.counts[manager] ?? ReplayReport.Count()
            #expect(
                count.mismatched == 0 && count.compared > pages, "\(manager): \(count)", sourceLocation: sourceLocation)
        }
        for operation in operations {
            #expect(
                report.compared[leasts[0].manager]?[operation] != nil,
                "\(String(operation, radix: 16)): \(report.compared)", sourceLocation: sourceLocation)
        }
    }
}
