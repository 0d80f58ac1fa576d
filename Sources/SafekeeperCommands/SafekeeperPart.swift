public import CommandKit
import ObjectStorage
import ReplicationServer
public import StorageURI

/// What `safekeeper config` is about.
public enum SafekeeperPart: ConfiguredProgram {
    public typealias Server = SafekeeperServerOptions
    public static let storageRoles = [StorageRole.wal]
    public static let callsPostgres = false

    public static func check(_ configuration: Configuration, isOffline: Bool, into report: inout CheckReport) async {
        checkPort(configuration, &report)
        await checkPrimary(configuration, isOffline, &report)
    }

    /// Who may take WAL, as far as files tell.
    private static func checkPort(_ configuration: Configuration, _ report: inout CheckReport) {
        var subject = CheckReport.Subject(name: "safekeeper_listen_pg")
        do {
            let address = try configuration.required(Settings.safekeeperListenPG)
            let access = try ReplicationAccess(configuration, address: address)
            let server = try access.load()
            subject.note("address", .ok, address.settingText)
            if let warning = access.warning { subject.note("users", .warning, warning) }
            if !server.trustsLoopback { subject.note("users", .ok, server.users.keys.sorted().joined(separator: ", ")) }
            if let tls = server.tls { subject.note("certificate", .ok, tls.certificateFile) }
            subject.verdict = server.trustsLoopback ? "whoever connects from this machine may" : "asks for passwords"
        } catch {
            subject.fail("access", CommandFailure(error), &report)
            subject.verdict = "faulty"
        }
        report.add(subject)
    }

    private static func checkPrimary(
        _ configuration: Configuration, _ isOffline: Bool, _ report: inout CheckReport
    ) async {
        var subject = CheckReport.Subject(name: "primary")
        guard let source = configuration[Settings.walSource] else {
            subject.note("wal_source", .warning, "not set: give --wal-source to check one")
            subject.verdict = "not set"
            return report.add(subject)
        }
        guard !isOffline else {
            subject.note("wal_source", .ok, source.text)
            subject.verdict = "not asked (--offline)"
            return report.add(subject)
        }
        do {
            let installation = SafekeeperInstallation(configuration)
            let check = PrimaryCheck(source: try installation.source(), cluster: try? installation.cluster())
            report = try await BlockingWork.run { [report] _ in
                var report = report
                check.run(into: &report)
                return report
            }
        } catch {
            subject.fail("wal_source", CommandFailure(error), &report)
            subject.verdict = "not checked"
            report.add(subject)
        }
    }
}
