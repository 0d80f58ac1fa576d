/// Everything about one Swift storage but its location and its credentials.
public struct SwiftSettings: Sendable {
    /// Version of authentication.
    public enum Version: Int, Sendable {
        case one = 1
        case two, three
    }

    /// Which of the storage's addresses is used.
    public enum Interface: String, Sendable { case `public`, `internal`, admin }

    /// The identity service; nil where a token and the account's address are given.
    public var identityURL: String?
    /// Nil: the service is asked.
    public var version: Version?
    /// The account's address, in place of what the identity service says.
    public var storageURL: String?
    public var region: String?
    public var interface = Interface.public
    /// User and key are those of `ST_USER` and `ST_KEY` first.
    var prefersLegacyUser = false
    public var common = CommonSettings()

    public var segmentSizeBytes = 32 << 20
    public var maximumRetries = 10
    public var connectTimeout: Duration = .seconds(10)
    public var stallTimeout: Duration = .seconds(60)
    public var userAgent = "zenith"

    /// Which variable, or setting of a cloud, each value came from, by the name of the variable's declaration.
    public private(set) var origins: [String: String] = [:]

    /// Resolves the settings for one role. Throws all faults at once.
    public init(environment: RoleEnvironment) throws(SettingsError) {
        try self.init(SwiftIdentity(environment))
    }

    init(_ identity: SwiftIdentity) throws(SettingsError) {
        var reader = SettingsReader(identity.environment)
        readService(&reader, identity)
        readPlace(&reader, identity)
        common.read(&reader, ownAuthorities: SwiftVariables.certificateAuthorityFile)
        if reader.origins[SwiftVariables.certificateAuthorityFile.name] == nil,
            let file = identity.cloud?.value(SwiftVariables.certificateAuthorityFile)
        {
            common.certificateAuthorityFile = reader.checkedFile(file)
        }
        // The service takes objects, and so segments, of up to 5 GiB.
        segmentSizeBytes = reader.bytes(SwiftVariables.segmentSize, in: 1 << 20...5 << 30, default: segmentSizeBytes)
        maximumRetries = reader.integer(SwiftVariables.retries, in: 0...1000, default: maximumRetries)
        connectTimeout = reader.duration(
            SwiftVariables.connectTimeout, unit: "s", in: 100...3_600_000, default: 10_000)
        stallTimeout = reader.duration(SwiftVariables.stallTimeout, unit: "s", in: 1000...3_600_000, default: 60_000)
        userAgent = reader.text(SwiftVariables.userAgent)?.text ?? userAgent
        guard reader.faults.isEmpty else { throw SettingsError(faults: reader.faults) }
        origins.merge(reader.origins) { own, _ in own }
    }

    /// Where to log in and where the account is.
    private mutating func readService(_ reader: inout SettingsReader, _ identity: SwiftIdentity) {
        let named = identity.setting(SwiftVariables.version)
        if let named {
            version = Self.version(named.text)
            if version == nil {
                reader.fault(named.variable, "is \(shown(named.text)); it must be 1, 2 or 3")
            }
        }
        var service = identity.authURL
        let legacy = identity.cloud == nil ? identity.environment.value(SwiftVariables.legacyAuthURL) : nil
        if let legacy, service == nil || version == .one {
            service = legacy
            prefersLegacyUser = true
            // As its own tools have it.
            if named == nil { version = .one }
        }
        if let address = address(service, &reader) {
            identityURL = address.text
            origins[SwiftVariables.authURL.name] = service?.variable
            let inPath = address.path.split(separator: "/").last.flatMap { $0.first == "v" ? Self.version($0) : nil }
            if let inPath, let version, inPath != version, let named {
                reader.fault(named.variable, "is \(named.text), but \(service?.variable ?? "") ends in \(address.path)")
            }
            version = version ?? inPath
        }
        let account = identity.setting(SwiftVariables.storageURL)
        if let address = address(account, &reader) {
            storageURL = address.text
            origins[SwiftVariables.storageURL.name] = account?.variable
        }
        if service == nil, account == nil, identity.refusal == nil {
            reader.fault(
                identity.name(SwiftVariables.authURL),
                "is not set; it names the identity service, without which there is no way to the storage")
        }
    }

    /// `3`, `v2.0`; nil for what is no version known.
    private static func version(_ text: some StringProtocol) -> Version? {
        let digits = text.drop { $0 == "v" }
        let parts = digits.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.allSatisfy({ Int($0) != nil }) else { return nil }
        return Int(parts[0]).flatMap(Version.init(rawValue:))
    }

    private func address(_ value: RoleEnvironment.Value?, _ reader: inout SettingsReader) -> HTTPAddress? {
        guard let value else { return nil }
        switch HTTPAddress.parse(value.text) {
        case .success(let address): return address
        case .failure(let fault):
            reader.fault(value.variable, fault.problem)
            return nil
        }
    }

    /// Which of the catalogue's entries counts.
    private mutating func readPlace(_ reader: inout SettingsReader, _ identity: SwiftIdentity) {
        if let value = identity.setting(SwiftVariables.region) {
            region = value.text
            origins[SwiftVariables.region.name] = value.variable
        }
        if reader.boolean(SwiftVariables.isInternal) == true {
            interface = .internal
            origins[SwiftVariables.interface.name] = reader.origins[SwiftVariables.isInternal.name]
        }
        guard let value = identity.setting(SwiftVariables.interface) else { return }
        var name = value.text.lowercased()
        if name.hasSuffix("url") { name.removeLast("url".count) }
        guard let found = Interface(rawValue: name) else {
            return reader.fault(value.variable, "is \(shown(value.text)); it must be public, internal or admin")
        }
        interface = found
        origins[SwiftVariables.interface.name] = value.variable
    }
}
