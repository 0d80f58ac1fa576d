public import Listening
public import Logging
public import StatusServer
import SystemPackage

extension CommandFailure {
    /// Why a daemon cannot listen where it should.
    ///
    /// - Parameter setting: What the address comes from.
    public static func cannotListen(
        on address: HostPort, _ failure: ListenError, setting: some SettingDeclaration
    ) -> CommandFailure {
        let error = failure.code.map { Errno(rawValue: $0) }
        let advice =
            switch error {
            case .addressInUse: "another program listens there: stop it, or choose another \(setting.key)"
            case .permissionDenied: "only root may listen below 1024: choose another port for \(setting.key)"
            default: "look at \(setting.key): it has to be an address of this machine"
            }
        let off = setting is Setting<ListenAddress> ? ", or off" : ""
        return CommandFailure(
            error.map { ExitStatus($0) } ?? .failed, "cannot listen on \(address.settingText): \(failure)",
            hint: advice + off)
    }
}

/// Serves a daemon's status over HTTP, where that is not off, while `body` runs.
///
/// - Throws: When it cannot listen, and `body` does not run; or what `body` throws.
public func withStatusServer(
    _ configuration: Configuration, _ setting: Setting<ListenAddress>, pages: StatusPages, logger: Logger,
    _ body: () async throws -> Void
) async throws {
    guard case .on(let address) = try configuration.required(setting) else { return try await body() }
    let server = StatusServer(
        host: address.bindingHost, port: Int(address.port), pages: pages, logger: logger)
    do {
        try await server.serve { port in
            logger.info("serving status and metrics", metadata: ["host": "\(address.host)", "port": "\(port)"])
            try await body()
        }
    } catch let error as ListenError {  // not of `body`, which tells of its own addresses itself
        throw CommandFailure.cannotListen(on: address, error, setting: setting)
    }
}
