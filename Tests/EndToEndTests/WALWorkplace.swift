import Foundation
import Glibc
import TestSupport
import Testing

/// A storage, and the safekeeper's commands as PostgreSQL calls them.
final class WALWorkplace: Sendable {
    let work: Workplace
    /// The storage, as settings name it.
    let location: String
    /// Runs `safekeeper` with the storage's variables.
    let program: String

    init(location: String? = nil, environment: [String: String] = [:]) throws {
        work = try Workplace()
        self.location = location ?? work.storage
        program = work.path + "/safekeeper"
        // PostgreSQL's own user writes it.
        try FileManager.default.createDirectory(atPath: work.storage, withIntermediateDirectories: true)
        chmod(work.storage, 0o777)
        var lines = ["#!/bin/sh"]
        // What this process has, and what the tests' servers are started with, is nothing that a user would set.
        lines.append("for name in $(env | sed -n 's/^\\([A-Z0-9_]*\\)=.*/\\1/p'); do")
        lines.append("    case $name in ZENITH_*|AWS_*|S3_*|WALG_*|WALE_*|WAL_*|STORAGE_*) unset $name ;; esac")
        lines.append("done")
        // Also a home: the server's user may not read that of who runs the tests.
        let common = ["ZENITH_STORAGE_DEST": self.location, "HOME": work.path]
        for (name, value) in environment.merging(common, uniquingKeysWith: { $1 }) {
            lines.append("export \(name)='\(value)'")
        }
        lines.append("exec \(Workplace.programs)/safekeeper \"$@\"")
        try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: URL(fileURLWithPath: program))
        chmod(program, 0o755)
    }

    /// With a storage that nobody serves.
    static func unreachable() throws -> WALWorkplace {
        try WALWorkplace(
            location: "s3://bucket/x",
            environment: [
                "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
                "AWS_REGION": "us-east-1", "S3_MAX_RETRIES": "1",
            ])
    }

    deinit {
        // A process that fetches ahead ends by itself, but not at once.
        let found = try? run(["find", work.path, "-name", "prefetch.pid"]).output
        for path in (found ?? "").split(separator: "\n") { endPrefetcher(String(path)) }
    }

    private func endPrefetcher(_ path: String) {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8),
            let pid = Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)),
            let name = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/exe"),
            name == Workplace.programs + "/safekeeper"
        else { return }
        kill(pid, SIGKILL)
    }

    func safekeeper(_ arguments: String...) throws -> ShellResult {
        try run([program] + arguments, directory: work.path)
    }

    func succeed(_ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation) throws {
        let result = try run([program] + arguments, directory: work.path)
        try #require(result.status == 0, "safekeeper \(arguments): \(result.error)", sourceLocation: sourceLocation)
    }

    func fail(
        _ arguments: [String], _ status: Int32, _ words: String = "", sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let result = try run([program] + arguments, directory: work.path)
        #expect(result.status == status, "safekeeper \(arguments): \(result.error)", sourceLocation: sourceLocation)
        #expect(result.error.hasPrefix("safekeeper: "), "\(result.error)", sourceLocation: sourceLocation)
        #expect(result.error.contains(words), "\(result.error)", sourceLocation: sourceLocation)
    }

    // MARK: A directory that looks like a cluster's

    var walDirectory: String { work.path + "/data/pg_wal" }

    static func segmentName(_ number: Int) -> String { String(format: "00000001000000000000%04X", number) }

    /// Writes segments of a mebibyte as a server would have, and marks them as ready.
    func makeSegments(_ numbers: ClosedRange<Int>, seed: UInt64 = 1) throws {
        try FileManager.default.createDirectory(
            atPath: walDirectory + "/archive_status", withIntermediateDirectories: true)
        for number in numbers {
            try Data(Self.segment(number, seed: seed)).write(to: URL(fileURLWithPath: path(number)))
            try Data().write(
                to: URL(fileURLWithPath: "\(walDirectory)/archive_status/\(Self.segmentName(number)).ready"))
        }
    }

    func path(_ number: Int) -> String { walDirectory + "/" + Self.segmentName(number) }

    static func segment(_ number: Int, seed: UInt64 = 1) -> [UInt8] {
        var generator = SeededGenerator(seed: seed &+ UInt64(number))
        var bytes: [UInt8] = []
        bytes.reserveCapacity(1 << 20)
        while bytes.count < 1 << 20 { withUnsafeBytes(of: generator.next()) { bytes += $0 } }
        // XLogLongPageHeaderData of PostgreSQL 15: magic, flags, TLI, position, rest, padding, cluster, sizes.
        var header: [UInt8] = [0x10, 0xD1, 2, 0, 1, 0, 0, 0]
        withUnsafeBytes(of: UInt64(number) << 20) { header += $0 }
        header += [UInt8](repeating: 0, count: 8)
        withUnsafeBytes(of: UInt64(7)) { header += $0 }
        withUnsafeBytes(of: (UInt32(1 << 20), UInt32(8192))) { header += $0 }
        bytes.replaceSubrange(0..<header.count, with: header)
        return bytes
    }

    var archived: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: work.storage + "/wal_005")) ?? []).sorted()
    }

    /// Takes the storage away, or puts it back.
    func moveStorage(away: Bool) throws {
        let (here, there) = (work.storage, work.storage + ".away")
        try FileManager.default.moveItem(atPath: away ? here : there, toPath: away ? there : here)
    }
}
