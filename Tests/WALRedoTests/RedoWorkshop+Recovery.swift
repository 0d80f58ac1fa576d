import PostgresFormat
import SystemPackage
import TestSupport
import Testing
import WALReplay

extension RedoWorkshop {
    /// What PostgreSQL's own recovery makes of a cluster's WAL over the data directory as it was made.
    static func recover(_ cluster: PostgresCluster, to end: LSN) throws -> BaseDirectory {
        let recovered = cluster.directory + "/recovered"
        _ = try run(["cp", "-a", baseDirectory(cluster), recovered])
        let own = try PostgresCluster.open(recovered)
        try own.configure([
            "restore_command = 'cp \(cluster.dataDirectory)/pg_wal/%f %p'", "recovery_target_lsn = '\(end)'",
            "recovery_target_inclusive = off", "recovery_target_action = shutdown", "hot_standby = off",
            "unix_socket_directories = '\(cluster.directory)'", "listen_addresses = ''",
        ])
        _ = try run(["install", "-m", "600", "/dev/null", recovered + "/recovery.signal"])
        let server = try cluster.installation.run("postgres", ["-D", recovered], directory: cluster.directory)
        let base = try BaseDirectory(FilePath(recovered))
        try #require(base.control.state == .shutDownInRecovery, "\(server.error)")
        return base
    }
}
