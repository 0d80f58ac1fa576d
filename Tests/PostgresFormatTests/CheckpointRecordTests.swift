import Foundation
import PostgresFormat
import TestSupport
import Testing

@Suite("The shutdown checkpoint's record")
struct CheckpointRecordTests {
    /// No record but those that a test writes: where the checkpoint goes can be chosen.
    private static let quiet = [
        "wal_level = minimal", "max_wal_senders = 0", "autovacuum = off", "full_page_writes = off",
    ]

    /// How far before the end of what the record shall begin; nil: wherever it does.
    enum Place: CaseIterable { case anywhere, acrossPages, acrossSegments, headerAcrossPages, untilPageEnd }

    @Test("is found whole, wherever it lies", arguments: PostgresInstallation.majors)
    func found(major: Int) throws {
        let options = PostgresCluster.Options(checksums: false, walSegmentMegabytes: 1, configuration: Self.quiet)
        let cluster = try PostgresCluster(major: major, options)
        // The layout is the same in all versions: one of them takes every place.
        for place in major == 15 ? Place.allCases : [.anywhere, .acrossSegments] {
            try cluster.start()
            switch place {
            case .anywhere: try cluster.psql("select txid_current()")
            case .acrossPages: try fill(cluster, before: 56, of: Page.size)
            case .acrossSegments: try fill(cluster, before: 56, of: 1 << 20)
            case .headerAcrossPages: try fill(cluster, before: 8, of: Page.size)
            case .untilPageEnd: try fill(cluster, before: 120, of: Page.size)
            }
            try cluster.stop()
            let control = try control(of: cluster)
            let wal = Wal(directory: cluster.dataDirectory + "/pg_wal", control: control)
            let (end, isShutdown) = try wal.checkpointEnd()
            #expect(isShutdown)
            let rest = { (size: Int) in size - Int(control.checkpoint.rawValue % UInt64(size)) }
            switch place {
            case .anywhere: break
            case .acrossPages: #expect(rest(Page.size) == 56)
            case .acrossSegments: #expect(rest(1 << 20) == 56)
            case .headerAcrossPages: #expect(rest(Page.size) == 8)
            case .untilPageEnd: #expect(end.rawValue % UInt64(Page.size) == 0)
            }
            // After a clean start PostgreSQL goes on where the record ended, past the header of a page.
            try cluster.start()
            let next = try #require(LSN(try cluster.psql("select pg_current_wal_insert_lsn()")))
            #expect(next.rawValue - end.rawValue == (end.rawValue % UInt64(Page.size) == 0 ? 24 : 0), "\(place)")
            try cluster.stop()
        }
    }

    @Test("is written as pg_resetwal writes it", arguments: PostgresInstallation.majors)
    func written(major: Int) throws {
        let cluster = try PostgresCluster(major: major, .init(walSegmentMegabytes: 1))
        try cluster.installation.check(
            "pg_resetwal", ["-D", cluster.dataDirectory, "-l", "000000010000000000000A0C"],
            directory: cluster.directory)
        let control = try control(of: cluster)
        let segment = try Data(
            contentsOf: URL(fileURLWithPath: cluster.dataDirectory + "/pg_wal/000000010000000000000A0C"))
        let page = try CheckpointRecord.firstPage(
            with: control.checkpointCopy, systemIdentifier: control.systemIdentifier, segmentSize: 1 << 20, major: major
        )
        #expect(page == Array(segment.prefix(Page.size)))
        #expect(segment.count == 1 << 20 && segment.dropFirst(Page.size).allSatisfy { $0 == 0 })

        // Elsewhere there is no such record.
        var other = control.checkpointCopy
        other.redo = LSN(rawValue: other.redo.rawValue + 8)
        #expect(throws: FormatError.self) {
            try CheckpointRecord.firstPage(with: other, systemIdentifier: 1, segmentSize: 1 << 20, major: major)
        }
    }

    @Test("of a running server is told from that of a shutdown")
    func online() throws {
        let cluster = try PostgresCluster(major: 16)
        try cluster.start()
        try cluster.psql("create table t(a int); checkpoint;")
        try cluster.crash()
        let control = try control(of: cluster)
        let wal = Wal(directory: cluster.dataDirectory + "/pg_wal", control: control)
        #expect(try wal.checkpointEnd().isShutdown == false)
    }

    @Test("is refused when anything about it is damaged", arguments: [14, 18])
    func damaged(major: Int) throws {
        let options = PostgresCluster.Options(checksums: false, walSegmentMegabytes: 1, configuration: Self.quiet)
        let cluster = try PostgresCluster(major: major, options)
        try cluster.start()
        try fill(cluster, before: 56, of: Page.size)
        try cluster.stop()
        let control = try control(of: cluster)
        var wal = Wal(directory: cluster.dataDirectory + "/pg_wal", control: control)
        _ = try wal.checkpointEnd()
        let position = control.checkpoint.rawValue
        let page = position / UInt64(Page.size) * UInt64(Page.size)
        // The header of the first page (its count of a former record's rest aside), the record's 56 bytes there, the
        // header of the second, and its 58 bytes there.
        let covered = Array(0..<16) + (8136..<8192) + (8192..<8212) + (8216..<8274)
        var generator = SeededGenerator()
        for offset in covered {
            wal.flips = [page + UInt64(offset): UInt8.random(in: 1...255, using: &generator)]
            // Two flags of a first page are no matter here; the padding behind a manager's number is in the CRC.
            if offset == 2 || offset == 8194 { wal.flips = [page + UInt64(offset): 0xF0] }
            #expect(throws: FormatError.self, "byte \(offset), seed \(generator.seed)") { try wal.checkpointEnd() }
        }
        wal.flips = [:]
        for other in PostgresInstallation.majors where other != major {
            #expect(throws: FormatError.self) { try wal.checkpointEnd(major: other) }
        }
        for lsn in [position + 8, position + 1, page, page + 16, .max, .max - 7, 0, 1 << 63] {
            #expect(throws: (any Error).self) { try wal.checkpointEnd(at: LSN(rawValue: lsn)) }
        }
        #expect(throws: FormatError.self) {
            try CheckpointRecord.end(at: control.checkpoint, segmentSize: 0, major: major) { _ in [] }
        }
        for count in [0, 1, 23, 8191] {
            #expect(throws: FormatError.self) {
                try CheckpointRecord.end(at: control.checkpoint, segmentSize: 1 << 20, major: major) { _ in
                    [UInt8](repeating: 0, count: count)
                }
            }
        }
        for _ in 0..<2000 {
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                let at = page + UInt64.random(in: 0..<8274, using: &generator)
                wal.flips[at] = UInt8.random(in: .min ... .max, using: &generator)
            }
            _ = try? wal.checkpointEnd()
            if wal.flips.count > 40 { wal.flips = [:] }
        }
    }

    private func control(of cluster: PostgresCluster) throws -> ControlFile {
        try ControlFile(parsing: ControlFileTests.read(cluster.dataDirectory + "/global/pg_control"))
    }

    /// Writes WAL until its end lies `distance` bytes before a multiple of `unit`.
    private func fill(_ cluster: PostgresCluster, before distance: Int, of unit: Int) throws {
        func missing() throws -> Int {
            let lsn = try #require(LSN(try cluster.psql("select pg_current_wal_insert_lsn()")))
            return (2 * unit - distance - Int(lsn.rawValue % UInt64(unit))) % unit
        }
        func emit(_ count: Int, times: Int = 1) throws {
            try cluster.psql(
                "select pg_logical_emit_message(false, '', repeat('x', \(count))) from generate_series(1, \(times))")
        }
        for _ in 0..<20 {
            let rest = try missing()
            if rest == 0 { return }
            // A record's headers take 56 bytes or fewer, a page's 24; both are learned by looking again.
            if rest > 3 * Page.size {
                try emit(7000, times: (rest - 2 * Page.size) / 7200)
            } else if rest > Page.size + 600 {
                try emit(rest - Page.size - 300)
            } else if rest >= 400 {
                try emit(rest - 200)
            } else if rest >= 80 {
                // 24 bytes of header, 2 or 5 to name the data, 25 before the message, which is rounded up to 8.
                try emit(rest - 56 - (rest - 51 > 255 ? 3 : 0) + 4)
            } else {
                try emit(300)
            }
        }
        throw PostgresTestError("the WAL's end cannot be moved to \(distance) bytes before \(unit)")
    }
}

/// The WAL of a cluster that is shut down, with some bytes changed.
private struct Wal {
    let directory: String
    let control: ControlFile
    var flips: [UInt64: UInt8] = [:]

    func checkpointEnd(at lsn: LSN? = nil, major: Int? = nil) throws -> (endLSN: LSN, isShutdown: Bool) {
        try CheckpointRecord.end(
            at: lsn ?? control.checkpoint, segmentSize: control.walSegmentSize, major: major ?? control.majorVersion,
            readPage: page)
    }

    func page(_ lsn: LSN) throws -> [UInt8] {
        let size = control.walSegmentSize
        let segment = WALSegment(timeline: control.checkpointCopy.thisTimeLineID, holding: lsn, size: size)
        let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: "\(directory)/\(segment.fileName)"))
        try file.seek(toOffset: lsn.rawValue % UInt64(size))
        var page = Array(try file.read(upToCount: Page.size) ?? Data())
        try file.close()
        for (position, mask) in flips where position >= lsn.rawValue && position - lsn.rawValue < UInt64(page.count) {
            page[Int(position - lsn.rawValue)] ^= mask
        }
        return page
    }
}
