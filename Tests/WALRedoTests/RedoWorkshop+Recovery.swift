import Glibc
import PostgresFormat
import SystemPackage
import TestSupport
import Testing
import WALReplay

extension RedoWorkshop {
    /// What PostgreSQL's own recovery makes of a cluster's WAL over the data directory as it was made.
    static func recover(_ cluster: PostgresCluster, to end: LSN) throws -> BaseDirectory {
        let own = try recovering(
            cluster, to: end, "recovered",
            [
                "recovery_target_action = shutdown", "hot_standby = off",
                "unix_socket_directories = '\(cluster.directory)'", "listen_addresses = ''",
            ])
        let server = try cluster.installation.run("postgres", ["-D", own.dataDirectory], directory: cluster.directory)
        let base = try BaseDirectory(FilePath(own.dataDirectory))
        try #require(base.control.state == .shutDownInRecovery, "\(server.error)")
        return base
    }

    /// The same, of a server that went on from there, and was shut down before it did anything: what it would have
    /// given out next is in its control file.
    ///
    /// - Parameter lines: Settings that the cluster had at the end, as far as a standby needs them.
    static func promote(_ cluster: PostgresCluster, to end: LSN, _ lines: [String] = []) throws -> BaseDirectory {
        let own = try recovering(cluster, to: end, "promoted", ["recovery_target_action = promote"] + lines)
        try own.start()
        while try own.psql("select pg_is_in_recovery()") == "t" { usleep(50_000) }
        try own.stop()
        let base = try BaseDirectory(FilePath(own.dataDirectory))
        try #require(base.control.state == .shutDown)
        return base
    }

    /// A copy of the data directory as it was made, that recovers when it is started.
    private static func recovering(
        _ cluster: PostgresCluster, to end: LSN, _ name: String, _ lines: [String]
    ) throws -> PostgresCluster {
        let directory = "\(cluster.directory)/\(name)"
        _ = try run(["cp", "-a", baseDirectory(cluster), directory])
        let own = try PostgresCluster.open(directory)
        try own.configure(
            [
                "restore_command = 'cp \(cluster.dataDirectory)/pg_wal/%f %p'", "recovery_target_lsn = '\(end)'",
                "recovery_target_inclusive = off",
            ] + lines)
        _ = try run(["install", "-m", "600", "/dev/null", directory + "/recovery.signal"])
        return own
    }
}
