import Foundation
import TestSupport
import Testing

extension SafekeeperPlace {
    /// A base backup without WAL, to be recovered later.
    func backup(_ primary: PostgresCluster) throws -> String {
        let backup = primary.directory + "/backup"
        try primary.run("pg_basebackup", ["-D", backup, "-X", "none", "-c", "fast"])
        return backup
    }

    /// A copy of a base backup: one can be recovered once.
    static func copy(_ backup: String, _ name: String) throws -> String {
        let copy = "\(backup).\(name)"
        try run(["cp", "-a", backup, copy]).check()
        return copy
    }

    /// A server made of a backup and the safekeeper's WAL: what is on its disk, and what it has brought to storage.
    func recover(_ backup: String) throws -> PostgresCluster {
        let script = path + "/restore"
        var variables = environment
        variables["ZENITH_STORAGE_DEST"] = storage
        let lines = [
            "#!/bin/sh", "cp \(wal)/$1 $2 2>/dev/null && exit",
            "exec env -i PATH=$PATH \(variables.map { "\($0)='\($1)'" }.sorted().joined(separator: " ")) \\",
            "    \(Workplace.programs)/safekeeper wal-fetch --stop-recovery $1 $2",
        ]
        try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: URL(fileURLWithPath: script))
        try run(["chmod", "-R", "a+rX", path, directory]).check()
        try run(["chmod", "a+x", script]).check()
        if storage.hasPrefix("/") { try run(["chmod", "-R", "a+rX", storage]).check() }
        let recovered = try PostgresCluster.open(backup)
        try recovered.configure([
            "restore_command = '\(script) %f %p'", "recovery_target_timeline = 'latest'",
            "synchronous_standby_names = ''",
        ])
        try Data().write(to: URL(fileURLWithPath: backup + "/postgresql.auto.conf"))
        try Data().write(to: URL(fileURLWithPath: backup + "/recovery.signal"))
        _ = try run(["chown", "-R", "--reference=\(backup)", backup])
        do { try recovered.start() } catch { throw PostgresTestError("\(error)\n\(recovered.log.suffix(3000))") }
        try recovered.await("select pg_is_in_recovery()", "f")
        return recovered
    }

    /// The archive, as `wal-show --json` tells.
    func archive() throws -> [String: Any] {
        let shown = try safekeeper(["wal-show", "--json"])
        try shown.check()
        return try #require(try JSONSerialization.jsonObject(with: Data(shown.output.utf8)) as? [String: Any])
    }
}
