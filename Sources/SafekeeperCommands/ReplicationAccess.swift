import CommandKit
import Glibc
import ReplicationServer
import StorageURI
import SystemPackage

/// Who may take WAL from the replication port, by which certificate, and where it is.
struct ReplicationAccess {
    let address: HostPort
    private let authFile: String?
    private let tls: ReplicationServerConfiguration.TLS?

    init(_ configuration: Configuration, address: HostPort) throws(CommandFailure) {
        self.address = address
        authFile = configuration[Settings.authFile]?.text
        switch (configuration[Settings.sslCertFile]?.text, configuration[Settings.sslKeyFile]?.text) {
        case (let certificate?, let key?):
            // Who has to prove who he is from afar is to do so over TLS alone.
            tls = .init(certificateFile: certificate, privateKeyFile: key, isRequired: authFile != nil)
        case (nil, nil): tls = nil
        default:
            throw CommandFailure(.configuration, "ssl_cert_file and ssl_key_file: one is set, and the other is not")
        }
    }

    /// Reads the files: for the start, and whenever they may have changed.
    func load() throws(CommandFailure) -> ReplicationServerConfiguration {
        if let tls { try refuseReadableByAll(tls.privateKeyFile, "ssl_key_file") }
        return ReplicationServerConfiguration(
            host: address.bindingHost, port: Int(address.port), tls: tls,
            users: try users(), trustsLoopback: authFile == nil)
    }

    /// What is odd, though it works.
    var warning: String? {
        guard authFile == nil, !["localhost", "::1"].contains(address.host), !address.host.hasPrefix("127.") else {
            return nil
        }
        return "safekeeper_listen_pg is \(address.settingText), but without auth_file only this machine may connect"
    }

    private func users() throws(CommandFailure) -> [String: SCRAMVerifier] {
        guard let authFile else { return [:] }
        try refuseReadableByAll(authFile, "auth_file")
        let text: Secret
        do { text = Secret(try readTextFile(authFile)) } catch {
            throw CommandFailure(.configuration, "auth_file \(authFile): \(error)")
        }
        do { return try UserList.parse(text) } catch {
            throw CommandFailure(
                .configuration, "auth_file \(authFile), \(error)",
                hint: #"select format('"%s" "%s"', rolname, rolpassword) from pg_authid on the primary gives a line"#)
        }
    }

    private func refuseReadableByAll(_ path: String, _ setting: String) throws(CommandFailure) {
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw CommandFailure(.configuration, "\(setting) \(path): \(Errno(rawValue: errno))")
        }
        guard status.st_mode & (S_IROTH | S_IWOTH) == 0 else {
            throw CommandFailure(
                .configuration, "\(setting) \(path) can be read by others", hint: "chmod 640 \(path)")
        }
    }
}
