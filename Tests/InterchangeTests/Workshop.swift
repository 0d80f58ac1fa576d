import Foundation
import Interchange
import ObjectStorage
import PostgresFormat
import Snapshots
import SystemPackage
import TestSupport
import Testing

/// A temporary directory in which clusters are imported and exported.
final class Workshop: Sendable {
    let directory: String
    let local: LocalSnapshots
    let pool = WorkerPool(width: 2)

    init() throws {
        directory = try PostgresInstallation.makeDirectory(prefix: "zin")
        local = LocalSnapshots(root: FilePath(directory + "/snapshots"))
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// Imports and commits, and reads the manifest back from the disk.
    func importing(_ source: any DataDirectorySource, allowCorruptPages: Bool = false) async throws -> SnapshotReader {
        let timeline = TimelineUUID()
        var options = DataDirectoryImport.Options(timeline: timeline, writer: "test")
        options.allowCorruptPages = allowCorruptPages
        let staging = try local.stage(timeline)
        let manifest = try await DataDirectoryImport(from: source, options: options, pool: pool, progress: NoProgress())
            .run(into: staging)
        try local.commit(manifest, staging: staging)
        return SnapshotReader(
            manifest: try local.manifest(manifest.name), local: local.directory(of: manifest.name), repository: nil)
    }

    func importing(_ path: String, allowCorruptPages: Bool = false) async throws -> SnapshotReader {
        try await importing(LocalDataDirectory(path: FilePath(path)), allowCorruptPages: allowCorruptPages)
    }

    /// A snapshot of what `initdb` makes.
    func importingFresh() async throws -> SnapshotReader {
        let cluster = try PostgresCluster(major: 15)
        defer { withExtendedLifetime(cluster) {} }  // its directory goes with it
        return try await importing(cluster.dataDirectory)
    }

    /// Exports so that the server's user owns the files. Returns the path.
    @discardableResult
    func export(_ snapshot: SnapshotReader, to name: String, mapping: [String: String] = [:]) async throws -> String {
        var options = LocalExport.Options()
        options.tablespaceMapping = mapping
        if geteuid() == 0, let user = getpwnam(PostgresInstallation.serverUser) {
            options.owner = (user.pointee.pw_uid, user.pointee.pw_gid)
        }
        let path = name.hasPrefix("/") ? name : "\(directory)/\(name)"
        try await LocalExport(snapshot, options: options, pool: pool, progress: NoProgress()).run(to: FilePath(path))
        return path
    }

    /// What an import of this says when it is refused; nil when it is not.
    func refusal(_ path: String) async -> String? {
        do { _ = try await importing(path) } catch { return "\(error)" }
        return nil
    }
}

/// Runs a program of the system; throws what it complains about.
@discardableResult
func shell(_ arguments: String...) throws -> String {
    let result = try TestSupport.run(arguments)
    guard result.status == 0 else { throw PostgresTestError("\(arguments): \(result.error)\(result.output)") }
    return result.output
}

/// All databases as SQL, without what differs from one dump to the next.
func dumpAll(_ cluster: PostgresCluster) throws -> String {
    try cluster.run("pg_dumpall", ["--no-tablespaces"]).split(separator: "\n")
        .filter { !$0.hasPrefix("\\restrict") && !$0.hasPrefix("\\unrestrict") }.joined(separator: "\n")
}

/// Relation files, relation maps and SLRUs below a data directory, by path, through the links of tablespaces. By rules of
/// its own: what must be carried byte for byte. Not the empty segment files that PostgreSQL leaves where it shortens a
/// relation.
func contentFiles(_ dataDirectory: String) throws -> Set<String> {
    let found = try shell(
        "sh", "-c",
        "cd \"$0\" && find -L base global pg_xact pg_multixact pg_commit_ts pg_twophase pg_tblspc -type f"
            + " ! '(' -name '*.*' -empty ')'",
        dataDirectory)
    return Set(
        found.split(separator: "\n").map(String.init).filter { path in
            let name = path.split(separator: "/").last!
            let isTemporary = name.wholeMatch(of: /t\d+_\d+.*/) != nil || path.contains("pgsql_tmp")
            return !isTemporary && name != "pg_internal.init" && name != "zenith-export-unfinished"
        })
}

/// Checks that an export has the content files of the original, byte for byte, with their modes.
func expectSameContent(_ original: String, _ export: String) throws {
    let files = try contentFiles(original)
    #expect(try contentFiles(export) == files)
    for file in files.sorted() {
        let (left, right) = ("\(original)/\(file)", "\(export)/\(file)")
        let before = FileManager.default.contents(atPath: left)
        let after = FileManager.default.contents(atPath: right)
        #expect(before != nil && before == after, "\(file) differs")
        #expect(try mode(left) == mode(right), "the mode of \(file) differs")
    }
}

func mode(_ path: String) throws -> Int? {
    try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
}

func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

/// Changes bytes of a file in place.
func overwrite(_ path: String, at offset: Int, with bytes: [UInt8]) throws {
    let file = try #require(FileHandle(forUpdatingAtPath: path))
    try file.seek(toOffset: UInt64(offset))
    try file.write(contentsOf: Data(bytes))
    try file.close()
}

/// Flips all bits of one byte.
func flip(_ path: String, at offset: Int) throws {
    let content = try #require(FileManager.default.contents(atPath: path))
    try overwrite(path, at: offset, with: [~content[offset]])
}
