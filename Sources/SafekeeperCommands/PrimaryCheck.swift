import CommandKit
import ReplicationClient
import Safekeeper
import WALStore

/// What `config check` says of the server that WAL comes from: whether it can send WAL to this safekeeper, and whether
/// its commits wait for it.
struct PrimaryCheck {
    let source: WALReceiver.Source
    /// What `init` found; nil where it has not been run.
    let cluster: SafekeeperInstallation.Cluster?

    private static let majors = 14...18
    private var name: String { source.name }
    private var slot: String { source.slot }

    /// It blocks.
    func run(into report: inout CheckReport) {
        var subject = CheckReport.Subject(name: "primary")
        do {
            try checkReplication(&subject, &report)
            checkQueries(&subject, &report)
        } catch {
            subject.fail("connection", error.commandFailure, &report)
        }
        if subject.verdict.isEmpty { subject.verdict = subject.hasFailed ? "not usable" : "usable" }
        report.add(subject)
    }

    // MARK: - What a replication connection tells

    private func checkReplication(
        _ subject: inout CheckReport.Subject, _ report: inout CheckReport
    ) throws(ReplicationError) {
        let connection = try ReplicationConnection(source.connectionInfo, applicationName: name)
        let system = try connection.identifySystem()
        subject.note("connection", .ok, "\(connection.address), with the REPLICATION privilege")
        if connection.isRemote, !connection.isEncrypted {
            subject.note(
                "encryption", .warning,
                "WAL crosses the network unencrypted; set sslmode=verify-full in wal_source where the server has TLS")
        }
        checkIdentity(system, try connection.walSegmentSize(), connection.serverVersion, &subject, &report)
        try checkSettings(connection, &subject, &report)
        try checkCommits(connection, &subject, &report)
    }

    private func checkIdentity(
        _ system: ReplicationConnection.System, _ segmentSize: Int, _ version: Int,
        _ subject: inout CheckReport.Subject, _ report: inout CheckReport
    ) {
        let major = version / 10_000
        if Self.majors.contains(major) {
            subject.note("version", .ok, "PostgreSQL \(major), system identifier \(system.identifier)")
        } else {
            subject.fail(
                "version", CommandFailure(.configuration, "PostgreSQL \(major) is not one of 14 to 18"), &report)
        }
        guard let identity = cluster?.identity else { return }
        if identity.systemIdentifier != system.identifier {
            subject.fail(
                "cluster",
                CommandFailure(
                    .configuration, "it is \(system.identifier), and WAL here is of \(identity.systemIdentifier)",
                    hint: "correct wal_source, or give the other cluster a directory of its own"), &report)
        } else if identity.major != major || identity.segmentSize != segmentSize {
            subject.fail(
                "cluster",
                CommandFailure(
                    .configuration,
                    "it is PostgreSQL \(major) with segments of \(segmentSize) bytes, and WAL here is of \(identity.major) "
                        + "with \(identity.segmentSize)",
                    hint: "after pg_upgrade, begin anew in an empty directory"), &report)
        }
    }

    private func checkSettings(
        _ connection: borrowing ReplicationConnection, _ subject: inout CheckReport.Subject,
        _ report: inout CheckReport
    ) throws(ReplicationError) {
        let level = try connection.show("wal_level")
        if level == "minimal" {
            subject.fail(
                "wal_level",
                CommandFailure(
                    .configuration, "minimal: WAL cannot be received", hint: "set it to replica, and restart"),
                &report)
        } else {
            subject.note("wal_level", .ok, level)
        }
        let pages = try connection.show("full_page_writes")
        subject.note(
            "full_page_writes", pages == "on" ? .ok : .warning,
            pages == "on"
                ? pages
                : "off: after a crash of the primary a page may be torn; set it to on unless its disks rule that out")
        if try connection.show("fsync") != "on" {
            subject.note(
                "fsync", .warning, "off: the primary may lose WAL that this safekeeper has, and diverge from it")
        }
        let kept = try connection.show("max_slot_wal_keep_size")
        subject.note(
            "max_slot_wal_keep_size", kept == "-1" ? .ok : .warning,
            kept == "-1"
                ? "-1: the primary keeps all WAL while the safekeeper is away, as long as its disk has space"
                : "\(kept): of WAL beyond that, the primary removes what this safekeeper lacks")
        if try connection.show("wal_sender_timeout") == "0" {
            subject.note(
                "wal_sender_timeout", .warning,
                "0: a connection that broke unnoticed is used for ever, and commits wait for it")
        }
    }

    private func checkCommits(
        _ connection: borrowing ReplicationConnection, _ subject: inout CheckReport.Subject,
        _ report: inout CheckReport
    ) throws(ReplicationError) {
        guard try connection.show("in_hot_standby") == "off" else {
            subject.note(
                "synchronous_standby_names", .warning, "it is a standby: no commit waits for a safekeeper of it")
            return
        }
        let text = try connection.show("synchronous_standby_names")
        guard let standbys = SynchronousStandbyNames(text), standbys.contains(name) else {
            let found = text.isEmpty ? "empty" : "\(text): \(name) is not in it"
            subject.note(
                "synchronous_standby_names", .warning,
                "\(found); no commit waits for this safekeeper, and the last ones may be lost with the primary; "
                    + "set it to '\(name)'")
            return
        }
        subject.note("synchronous_standby_names", .ok, text)
        if standbys.names == [name], standbys.count == 1 {
            subject.note("availability", .warning, "while this safekeeper is away, commits wait; ANY 2 of 3 go on")
        } else if !standbys.names.contains("*"), standbys.count > Set(standbys.names).count {
            subject.fail(
                "synchronous_standby_names",
                CommandFailure(
                    .configuration, "waits for \(standbys.count) of \(standbys.names.count) names: no commit ends"),
                &report)
        }
        let commit = try connection.show("synchronous_commit")
        switch commit {
        case "on": subject.note("synchronous_commit", .ok, commit)
        case "remote_apply":
            subject.fail(
                "synchronous_commit",
                CommandFailure(
                    .configuration, "remote_apply: a safekeeper applies nothing, and no commit would end",
                    hint: "set it to on"), &report)
        default:
            subject.note(
                "synchronous_commit", .warning,
                "\(commit): a commit does not wait until its WAL is on the safekeeper's disk; set it to on")
        }
    }

    // MARK: - What SQL tells

    private func checkQueries(_ subject: inout CheckReport.Subject, _ report: inout CheckReport) {
        do {
            let connection = try QueryConnection(source.connectionInfo, applicationName: name)
            try checkSlot(connection, &subject, &report)
            try checkSenders(connection, &subject, &report)
        } catch {
            subject.note(
                "slots", .warning, "how many slots and senders are left is not known, as no query is allowed: \(error)")
        }
    }

    private func checkSlot(
        _ connection: borrowing QueryConnection, _ subject: inout CheckReport.Subject, _ report: inout CheckReport
    ) throws(ReplicationError) {
        let found = try connection.rows(
            "SELECT slot_name, slot_type, restart_lsn, active, wal_status FROM pg_replication_slots")
        let limit = try number("max_replication_slots", connection)
        guard let ours = found.first(where: { $0[0] == slot }) else {
            let left = limit - found.count
            if left > 0 {
                subject.note("slot", .ok, "\(slot) is to be made; \(left) of \(limit) slots are left")
            } else {
                subject.fail(
                    "slot",
                    CommandFailure(
                        .configuration, "\(slot) is not there, and none of \(limit) slots is left",
                        hint: "raise max_replication_slots and restart, or drop a slot that nobody uses"), &report)
            }
            return
        }
        guard ours[1] == "physical" else {
            subject.fail(
                "slot",
                CommandFailure(.configuration, "\(slot) is a logical slot", hint: "choose another one by --slot"),
                &report)
            return
        }
        guard ours[4] != "lost" else {
            subject.fail(
                "slot",
                CommandFailure(
                    .failed, "\(slot): the primary has removed WAL that this safekeeper lacks",
                    hint: "see docs/safekeeper.md on WAL that is gone"), &report)
            return
        }
        let use = ours[3] == "t" ? "in use" : "not in use"
        subject.note("slot", .ok, "\(slot), \(use), holds WAL from \(ours[2] ?? "the first use on")")
    }

    private func checkSenders(
        _ connection: borrowing QueryConnection, _ subject: inout CheckReport.Subject, _ report: inout CheckReport
    ) throws(ReplicationError) {
        let limit = try number("max_wal_senders", connection)
        // The server counts those that just end, as that of the connection before this one, for a moment.
        let names = try connection.rows("SELECT application_name FROM pg_stat_replication").map { $0[0] ?? "" }
        let left = limit - names.count
        if names.contains(name) {
            subject.note("max_wal_senders", .ok, "\(limit), \(left) left; \(name) is connected")
        } else if left > 0 {
            subject.note("max_wal_senders", .ok, "\(limit), \(left) left")
        } else {
            subject.fail(
                "max_wal_senders",
                CommandFailure(
                    .configuration, "all \(limit) are in use", hint: "raise it, and restart the primary"), &report)
        }
    }

    private func number(_ setting: String, _ connection: borrowing QueryConnection) throws(ReplicationError) -> Int {
        guard let text = try connection.rows("SHOW \(setting)").first?.first ?? nil, let value = Int(text) else {
            throw ReplicationError(.garbled, "\(setting) is no number")
        }
        return value
    }
}
