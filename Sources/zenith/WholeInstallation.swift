import CommandKit
import SafekeeperCommands
import StorageURI

/// What `zenith config` is about: the whole of it.
enum WholeInstallation: ConfiguredProgram {
    typealias Server = ServerOptions
    static let storageRoles = [StorageRole.storage, .wal]
    static let callsPostgres = true

    static func check(_ configuration: Configuration, isOffline: Bool, into report: inout CheckReport) async {
        guard configuration[Settings.walSource] != nil else { return }
        await SafekeeperPart.check(configuration, isOffline: isOffline, into: &report)
    }
}
