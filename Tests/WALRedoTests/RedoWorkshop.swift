import Foundation
import PostgresFormat
import TestSupport
import Testing
import WALRedo

/// Redo beside PostgreSQL's own pages: a server with `wal_consistency_checking` says after each record how they look.
enum RedoWorkshop {
    /// All of a cluster's WAL, record by record.
    private static func verify(_ cluster: PostgresCluster) throws -> (
        counts: [ResourceManager: RedoVerifier.Count], compared: [ResourceManager: [UInt8: Int]],
        mismatches: [RedoVerifier.Mismatch]
    ) {
        let size = 1 << 20
        let directory = cluster.dataDirectory + "/pg_wal"
        let segments = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
            .compactMap { WALSegment(fileName: $0, size: size) }
        let major = cluster.installation.major
        var reader = WALRecordReader(startingAt: segments[0].startLSN, segmentSize: size, major: major)
        var verifier = RedoVerifier(PageRedo(major: major, logsHints: true))
        reading: for segment in segments {
            let content = try Data(contentsOf: URL(fileURLWithPath: "\(directory)/\(segment.fileName)"))
            let isOver = content.withUnsafeBytes { content in
                var rest = content
                do {
                    while let record = try reader.next(&rest) { verifier.take(record) }
                } catch { return true }
                return false
            }
            if isOver { break reading }
        }
        return (verifier.counts, verifier.compared, verifier.mismatches)
    }

    static func cluster(_ major: Int, _ lines: [String] = []) throws -> PostgresCluster {
        let cluster = try PostgresCluster(
            major: major,
            .init(
                checksums: true, walSegmentMegabytes: 1,
                configuration: [
                    "wal_consistency_checking = all", "wal_keep_size = 4GB", "max_wal_size = 4GB", "autovacuum = off",
                    "max_prepared_transactions = 5",
                ] + lines))
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
        let (counts, compared, mismatches) = try verify(cluster)
        let ours = mismatches.filter { mismatch in leasts.contains { $0.manager == mismatch.manager } }
        #expect(ours.isEmpty, "\(ours.map(\.description).joined(separator: "\n"))", sourceLocation: sourceLocation)
        for (manager, pages) in leasts {
            let count = counts[manager] ?? RedoVerifier.Count()
            #expect(
                count.mismatched == 0 && count.compared > pages, "\(manager): \(count)", sourceLocation: sourceLocation)
        }
        for operation in operations {
            #expect(
                compared[leasts[0].manager]?[operation] != nil, "\(String(operation, radix: 16)): \(compared)",
                sourceLocation: sourceLocation)
        }
    }
}
