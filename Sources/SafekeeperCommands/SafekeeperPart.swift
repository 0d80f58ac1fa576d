public import CommandKit
import ObjectStorage
public import StorageURI

/// What `safekeeper config` is about.
public enum SafekeeperPart: ConfiguredProgram {
    public static let storageRoles = [StorageRole.wal]
    public static let callsPostgres = false

    public static func check(_ configuration: Configuration, isOffline: Bool, into report: inout CheckReport) async {
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
