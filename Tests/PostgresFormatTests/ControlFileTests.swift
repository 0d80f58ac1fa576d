import CChecksum
import Foundation
import PostgresFormat
import TestSupport
import Testing

@Suite("Control file")
struct ControlFileTests {
    /// Values other than the defaults, so that no two fields can be taken for each other.
    private static let configuration = [
        "max_connections = 37", "max_worker_processes = 11", "max_wal_senders = 5", "max_prepared_transactions = 13",
        "max_locks_per_transaction = 83", "track_commit_timestamp = on", "wal_log_hints = on", "wal_level = logical",
    ]

    @Test("says what pg_controldata says, in every state", arguments: PostgresInstallation.majors)
    func matchesControlData(major: Int) throws {
        let cluster = try PostgresCluster(major: major, .init(configuration: Self.configuration))
        #expect(try compare(cluster.installation, cluster.dataDirectory).state == .shutDown)
        try cluster.start()
        try cluster.psql("create table t as select generate_series(1, 1000) a; checkpoint; select lo_create(0);")
        #expect(try compare(cluster.installation, cluster.dataDirectory).state == .inProduction)

        let copy = cluster.directory + "/standby"
        try cluster.run("pg_basebackup", ["-D", copy, "-c", "fast", "-R"])
        let backedUp = try compare(cluster.installation, copy)
        #expect(backedUp.majorVersion == major)
        try cluster.psql("insert into t select generate_series(1, 1000)")
        let standby = try PostgresCluster.open(copy)
        try standby.start()
        try standby.psql("checkpoint")
        let recovering = try compare(cluster.installation, copy)
        #expect(recovering.state == .inArchiveRecovery)
        #expect(recovering.minRecoveryPoint > .invalid)
        try standby.stop()
        #expect(try compare(cluster.installation, copy).state == .shutDownInRecovery)

        try cluster.stop()
        let stopped = try compare(cluster.installation, cluster.dataDirectory)
        #expect(stopped.state == .shutDown)
        #expect(stopped.checkpointCopy.redo == stopped.checkpoint)
        #expect(stopped.walLevel == .logical)
        #expect(stopped.defaultCharIsSigned == (major >= 18 ? true : nil))
        #expect(stopped.checkpointCopy.walLevel == (major >= 17 ? .logical : nil))
    }

    @Test("of clusters with other options", arguments: [(1, true), (64, false)])
    func options(walSegmentMegabytes: Int, checksums: Bool) throws {
        for major in [14, 18] {
            let cluster = try PostgresCluster(
                major: major, .init(checksums: checksums, walSegmentMegabytes: walSegmentMegabytes))
            let control = try compare(cluster.installation, cluster.dataDirectory)
            #expect(control.walSegmentSize == walSegmentMegabytes << 20)
            #expect((control.dataChecksumVersion != 0) == checksums)
            #expect(control.floatFormat == 1_234_567)
        }
    }

    @Test("changed here, is read by PostgreSQL", arguments: PostgresInstallation.majors)
    func edited(major: Int) throws {
        let cluster = try PostgresCluster(major: major)
        let path = cluster.dataDirectory + "/global/pg_control"
        let bytes = try Self.read(path)
        var control = try ControlFile(parsing: bytes)
        #expect(control.serialized() == bytes)

        control.state = .inArchiveRecovery
        control.systemIdentifier ^= 0xFFFF
        control.checkpoint = LSN(rawValue: 0x12_3456_7890)
        control.checkpointCopy.redo = LSN(rawValue: 0x11_0000_0028)
        control.checkpointCopy.thisTimeLineID = 7
        control.checkpointCopy.prevTimeLineID = 6
        control.checkpointCopy.fullPageWrites.toggle()
        control.checkpointCopy.nextXid = 5 << 32 | 12345
        control.checkpointCopy.nextOid = 99999
        control.checkpointCopy.oldestActiveXid = 12000
        control.minRecoveryPoint = LSN(rawValue: 0x13_0000_0000)
        control.minRecoveryPointTimeLineID = 7
        control.backupStartPoint = LSN(rawValue: 0x10_0000_0000)
        control.backupEndPoint = LSN(rawValue: 0x10_8000_0000)
        control.backupEndRequired = true
        control.walLogHints.toggle()
        control.maxConnections = 4711
        control.mockAuthenticationNonce = Array(1...32)
        let edited = control.serialized()
        #expect(try ControlFile(parsing: edited).serialized() == edited)
        try Data(edited).write(to: URL(fileURLWithPath: path))
        try compare(cluster.installation, cluster.dataDirectory)
    }

    @Test("refuses what it cannot read, and says why")
    func refusals() throws {
        let cluster = try PostgresCluster(major: 16)
        let good = try Self.read(cluster.dataDirectory + "/global/pg_control")
        #expect(throws: FormatError.truncated(offset: 8191, needed: 8192)) {
            try ControlFile(parsing: Array(good.dropLast()))
        }
        #expect(throws: FormatError.truncated(offset: 0, needed: 8192)) { try ControlFile(parsing: []) }
        #expect(throws: FormatError.self) { try ControlFile(parsing: good + [0]) }

        for bit in stride(from: 0, to: 292 * 8, by: 7) where !(64..<96).contains(bit) {
            var damaged = good
            damaged[bit / 8] ^= 1 << (bit % 8)
            let error = #expect(throws: FormatError.self) { try ControlFile(parsing: damaged) }
            guard case .badCRC = error else {
                Issue.record("bit \(bit): \(String(describing: error))")
                return
            }
        }
        func changed(_ offset: Int, _ value: UInt32) -> [UInt8] {
            var bytes = good
            for index in 0..<4 { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * index)) }
            let crc = cchecksum_crc32c(0, bytes, 288)
            for index in 0..<4 { bytes[288 + index] = UInt8(truncatingIfNeeded: crc >> (8 * index)) }
            return bytes
        }
        let swapped = #expect(throws: FormatError.self) {
            try ControlFile(parsing: changed(8, UInt32(1300).byteSwapped))
        }
        guard case .wrongByteOrder = swapped else { throw try #require(swapped) }
        for (offset, value, names) in [(8, 1201, "1201"), (8, 1900, "1900"), (12, 202_007_201, "202007201")] {
            let error = #expect(throws: FormatError.self) { try ControlFile(parsing: changed(offset, UInt32(value))) }
            guard case .unsupportedVersion(let text) = error else { throw try #require(error) }
            #expect(text.contains(names))
        }
        // The CRC fits, the value cannot be: state, checkpoint's flag, wal_level, block, segment and WAL segment sizes.
        for (offset, value) in [(16, 7), (56, 2), (172, 3), (216, 0), (216, 8191), (220, 0), (228, 0), (228, 3 << 20)] {
            #expect(throws: FormatError.self) { try ControlFile(parsing: changed(offset, UInt32(value))) }
        }
    }

    @Test("any bytes give a value or an error")
    func fuzz() throws {
        let cluster = try PostgresCluster(major: 18)
        let good = try Self.read(cluster.dataDirectory + "/global/pg_control")
        var generator = SeededGenerator()
        var parsed = 0
        for _ in 0..<3000 {
            var bytes = good
            for _ in 0..<Int.random(in: 1...8, using: &generator) {
                bytes[Int.random(in: 16..<300, using: &generator)] = UInt8.random(in: .min ... .max, using: &generator)
            }
            if Bool.random(using: &generator) { bytes = generator.bytes(Int.random(in: 0...600, using: &generator)) }
            if bytes.count == 8192 {
                let crc = cchecksum_crc32c(0, bytes, 292)
                for index in 0..<4 { bytes[292 + index] = UInt8(truncatingIfNeeded: crc >> (8 * index)) }
            }
            if let control = try? ControlFile(parsing: bytes) {
                parsed += 1
                #expect(control.serialized() == bytes, "seed \(generator.seed)")
            }
        }
        #expect(parsed > 100, "seed \(generator.seed)")
    }

    static func read(_ path: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: path))) }

    /// Compares all that `pg_controldata` prints.
    @discardableResult
    private func compare(_ installation: PostgresInstallation, _ dataDirectory: String) throws -> ControlFile {
        // A running server may write between the two readings.
        var (control, output) = (ControlFile?.none, "")
        repeat {
            control = try ControlFile(parsing: Self.read(dataDirectory + "/global/pg_control"))
            output = try installation.check("pg_controldata", [dataDirectory], environment: ["TZ": "UTC"])
        } while try control != ControlFile(parsing: Self.read(dataDirectory + "/global/pg_control"))
        let found = try #require(control)
        #expect(found.serialized() == (try Self.read(dataDirectory + "/global/pg_control")))
        let ours = controlDataLines(found)
        let theirs = output.split(separator: "\n").map { line in
            let parts = line.split(separator: ":", maxSplits: 1)
            return (String(parts[0]), parts[1].trimmingCharacters(in: .whitespaces))
        }
        #expect(theirs.count == ours.count)
        for (label, value) in theirs { #expect(ours[label] == value, "\(label)") }
        return found
    }
}
