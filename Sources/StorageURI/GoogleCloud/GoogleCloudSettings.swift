import Digests

/// Everything about one storage in Google Cloud but its location and its credentials.
public struct GoogleCloudSettings: Sendable {
    /// The service's address, without a slash at its end: `https://storage.googleapis.com`.
    public private(set) var endpoint = "https://storage.googleapis.com"
    /// The host of it, as the request's `Host` has it.
    public private(set) var authority = "storage.googleapis.com"
    /// An emulator, which wants no credentials.
    public private(set) var isEmulator = false
    public private(set) var quotaProject: String?
    /// A key of our own, 32 bytes in Base64. `decodeKey` gives the bytes.
    public private(set) var encryptionKey: Secret?
    public private(set) var chunkBytes = 16 << 20
    public private(set) var maximumRetries = 10
    public private(set) var requestTimeout: Duration = .seconds(600)
    public private(set) var common = CommonSettings()

    /// Which variable each value came from, by the name of the variable's declaration.
    public private(set) var origins: [String: String] = [:]

    private typealias Variables = GoogleCloudVariables

    /// Uploads move in multiples of this.
    public static let chunkUnit = 256 << 10

    /// Resolves the settings for one role. Throws all faults at once.
    public init(environment: RoleEnvironment) throws(SettingsError) {
        var reader = SettingsReader(
            environment, endpoints: [GoogleCloudVariables.endpoint, GoogleCloudVariables.emulatorHost])
        readEndpoint(&reader)
        if let value = reader.text(Variables.quotaProject) {
            quotaProject = value.text
            // Domain-scoped projects have a colon: example.com:project.
            let isName = value.text.utf8.allSatisfy { PercentEncoding.isUnreserved($0) || $0 == UInt8(ascii: ":") }
            if !isName { reader.fault(value.variable, "is not the name of a project: \(shown(value.text))") }
        }
        readEncryption(&reader)
        let bytes = reader.bytes(Variables.chunkSize, in: Self.chunkUnit...5 << 30, default: chunkBytes)
        chunkBytes = (bytes + Self.chunkUnit - 1) / Self.chunkUnit * Self.chunkUnit
        maximumRetries = reader.integer(Variables.maxRetries, in: 0...1000, default: maximumRetries)
        requestTimeout = reader.duration(Variables.requestTimeout, unit: "s", in: 1000...86_400_000, default: 600_000)
        common.read(&reader)
        guard reader.faults.isEmpty else { throw SettingsError(faults: reader.faults) }
        origins = reader.origins
    }

    /// False over plain http.
    public var isEncrypted: Bool { endpoint.hasPrefix("https:") }

    /// One of Google's own hosts, which keep every promise of the service. Emulators keep some.
    public var isGoogle: Bool {
        let host = authority.prefix { $0 != ":" }
        return host == "googleapis.com" || host.hasSuffix(".googleapis.com")
    }

    /// True where plain http stays within this machine.
    var isLoopback: Bool { HTTPAddress.isLoopback(authority: authority) }

    /// The 32 bytes of a key in Base64; nil when it is something else.
    public static func decodeKey(_ key: Secret) -> [UInt8]? {
        let bytes = [UInt8](base64: key.reveal())
        return bytes?.count == 32 ? bytes : nil
    }

    private mutating func readEndpoint(_ reader: inout SettingsReader) {
        let own = reader.text(Variables.endpoint)
        let emulator = reader.text(Variables.emulatorHost)
        if let own, let emulator {
            reader.fault(emulator.variable, "is set as well as \(own.variable); only one of them can be used")
        }
        guard let value = own ?? emulator else { return }
        var text = value.text
        // As Google's libraries take it: without a scheme it is plain http.
        if own == nil, text.firstRange(of: "://") == nil { text = "http://\(text)" }
        switch HTTPAddress.parse(text) {
        case .failure(let fault): reader.fault(value.variable, fault.problem)
        case .success(let address):
            isEmulator = own == nil
            authority = address.authority
            // gcloud's form names the API as well.
            let api = "/storage/v1"
            let path = address.path.hasSuffix(api) ? String(address.path.dropLast(api.count)) : address.path
            endpoint = "\(address.scheme)://\(authority)\(path)"
        }
    }

    private mutating func readEncryption(_ reader: inout SettingsReader) {
        guard let value = reader.text(Variables.encryptionKey) else { return }
        let key = Secret(value.text)
        encryptionKey = key
        if Self.decodeKey(key) == nil { reader.fault(value.variable, "is not 32 bytes in Base64") }
        if !isEncrypted, !isLoopback {
            reader.fault(value.variable, "would be sent unencrypted: the endpoint is plain http")
        }
    }
}

extension GoogleCloudSettings {
    /// What the environment says to the storage.
    ///
    /// - Throws: `SettingsError` with all that is wrong with it.
    public static func inspect(environment: RoleEnvironment) throws(SettingsError) -> StorageInspection {
        let settings = try GoogleCloudSettings(environment: environment)
        let identity = try GoogleIdentity(environment)
        var inspection = StorageInspection(
            environment, scope: identity.credentials, credentials: Variables.credentials,
            settings: CommonVariables.group.variables + Variables.settings + Variables.withoutEffect)
        let isDefault = settings.endpoint == "https://storage.googleapis.com"
        let origin = [Variables.endpoint, Variables.emulatorHost].lazy.compactMap { settings.origins[$0.name] }.first
        inspection.note("service", isDefault ? "Google Cloud Storage" : settings.endpoint, from: origin)
        if let project = settings.quotaProject {
            inspection.note("billed project", project, from: settings.origins[Variables.quotaProject.name])
        }
        inspection.note(secretFile: identity.applicationCredentials?.path)
        inspection.note(secretFile: identity.wellKnownFile)
        return inspection
    }
}
