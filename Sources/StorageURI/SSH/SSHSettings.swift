import Digests

/// Everything about one SFTP storage but its location and its credentials.
public struct SSHSettings: Sendable {
    /// How the host proves that it is the right one.
    public enum HostKeyCheck: Sendable, Hashable {
        /// Its key is in one of these files. `ownFile` takes keys of hosts not yet known, if `addsNew`.
        case knownHosts(files: [String], addsNew: Bool)
        /// Its key has this SHA-256.
        case fingerprint([UInt8])
        case none
    }

    /// Nil: the location's, or 22.
    public var port: Int?
    public var hostKeyCheck: HostKeyCheck = .knownHosts(files: [], addsNew: false)
    public var common = CommonSettings()
    public var maximumConnections = 8
    public var partSizeBytes = 8 << 20
    public var maximumRetries = 10
    public var connectTimeout: Duration = .seconds(15)
    public var stallTimeout: Duration = .seconds(30)

    /// Which variable each value came from, by the name of its declaration.
    public private(set) var origins: [String: String] = [:]

    /// Resolves the settings for one role. Throws all faults at once.
    public init(environment: RoleEnvironment) throws(SettingsError) {
        var reader = SettingsReader(environment)
        if reader.text(SSHVariables.port) != nil {
            port = reader.integer(SSHVariables.port, in: 1...65535, default: 22)
        }
        readHostKeyCheck(&reader)
        common.read(&reader)
        maximumConnections = reader.integer(SSHVariables.maxConnections, in: 1...256, default: maximumConnections)
        partSizeBytes = reader.bytes(SSHVariables.partSize, in: 1 << 20...1 << 30, default: partSizeBytes)
        maximumRetries = reader.integer(SSHVariables.maxRetries, in: 0...1000, default: maximumRetries)
        connectTimeout = reader.duration(SSHVariables.connectTimeout, unit: "s", in: 100...3_600_000, default: 15_000)
        stallTimeout = reader.duration(SSHVariables.stallTimeout, unit: "s", in: 1000...3_600_000, default: 30_000)
        guard reader.faults.isEmpty else { throw SettingsError(faults: reader.faults) }
        origins = reader.origins
    }

    private mutating func readHostKeyCheck(_ reader: inout SettingsReader) {
        let environment = reader.environment
        let choice = reader.text(SSHVariables.hostKeyCheck)
        let given = reader.text(SSHVariables.hostKeyFingerprint)
        var fingerprint: [UInt8]?
        if let given {
            fingerprint = Self.fingerprint(given.text)
            if fingerprint == nil {
                reader.fault(
                    given.variable,
                    "is not the SHA-256 of a key: \(shown(given.text)); write it as ssh-keygen -l shows it, SHA256:…")
            }
        }
        var files: [String] = []
        if let named = reader.text(SSHVariables.knownHostsPath) {
            files = [environment.expandingHome(named.text)]
        } else {
            if let home = environment.homeDirectory { files.append("\(home)/.ssh/known_hosts") }
            files.append("/etc/ssh/ssh_known_hosts")
        }
        switch choice?.text ?? (given == nil ? "strict" : "fingerprint") {
        case "strict": hostKeyCheck = .knownHosts(files: files, addsNew: false)
        case "accept-new": hostKeyCheck = .knownHosts(files: files, addsNew: true)
        case "none": hostKeyCheck = .none
        case "fingerprint":
            hostKeyCheck = .fingerprint(fingerprint ?? [])
            if given == nil {
                reader.fault(
                    environment.advisedName(SSHVariables.hostKeyFingerprint.name),
                    "is not set; \(choice?.variable ?? "")=fingerprint needs it")
            }
            return
        default:
            reader.fault(
                choice?.variable ?? "",
                "is \(shown(choice?.text ?? "")); it must be strict, accept-new, fingerprint or none")
        }
        // A check that was asked for and is not made must not go unnoticed.
        if let given, let choice {
            reader.fault(given.variable, "is set, but \(choice.variable) is \(shown(choice.text)), not fingerprint")
        }
    }

    /// The 32 bytes of `SHA256:…` in Base64 with or without padding, or of hexadecimal digits with or without colons.
    static func fingerprint(_ text: String) -> [UInt8]? {
        var bytes: [UInt8]?
        if text.hasPrefix("SHA256:") {
            var base64 = String(text.dropFirst("SHA256:".count))
            while base64.utf8.count % 4 != 0 { base64 += "=" }
            bytes = [UInt8](base64: base64)
        } else {
            bytes = [UInt8](hexadecimal: text.lowercased().filter { $0 != ":" })
        }
        return bytes?.count == 32 ? bytes : nil
    }
}

extension SSHSettings {
    /// What the environment says to the storage on one host.
    ///
    /// - Throws: `SettingsError` with all that is wrong with it.
    public static func inspect(
        _ location: StorageLocation, environment: RoleEnvironment
    ) throws(SettingsError) -> StorageInspection {
        let settings = try SSHSettings(environment: environment)
        let identity = try SSHIdentity(environment)
        var inspection = StorageInspection(
            environment, scope: identity.scope, credentials: SSHVariables.credentials,
            settings: CommonVariables.group.variables + SSHVariables.settings)
        let port = location.port ?? settings.port ?? 22
        inspection.note(
            "service", "\(location.container), port \(port)",
            from: location.port == nil ? settings.origins[SSHVariables.port.name] : nil)
        let check: String =
            switch settings.hostKeyCheck {
            case .knownHosts(let files, let addsNew):
                "known hosts of \(files.joined(separator: " and "))\(addsNew ? ", new ones are added" : "")"
            case .fingerprint: "fingerprint"
            case .none: "none: the host could be anybody"
            }
        let origins = settings.origins
        inspection.note(
            "host key", check,
            from: origins[SSHVariables.hostKeyCheck.name] ?? origins[SSHVariables.hostKeyFingerprint.name]
                ?? origins[SSHVariables.knownHostsPath.name])
        for file in identity.keyFiles { inspection.note(secretFile: file) }
        return inspection
    }
}
