import Digests

/// Everything about one S3 storage but its location and its credentials.
public struct S3Settings: Sendable {
    public enum Encryption: Sendable, Hashable {
        /// By the service: `AES256`, `aws:kms` or `aws:kms:dsse`, the latter two with the id of a key.
        case service(algorithm: String, keyID: String?)
        /// With a key of our own (SSE-C): 32 bytes, as they are or in Base64. `S3Settings.decodeKey` gives the bytes.
        case customer(key: Secret)
    }

    /// How long new objects are locked, and for whom: `GOVERNANCE` or `COMPLIANCE`.
    public struct Retention: Sendable, Hashable {
        public var mode: String
        public var seconds: Int

        public init(mode: String, seconds: Int) {
            self.mode = mode
            self.seconds = seconds
        }
    }

    /// A service that says which of its hosts to connect to. Requests still go to the endpoint by name.
    public struct NodeSource: Sendable, Hashable {
        /// Answers a plain GET with a host.
        public var url: String
        public var port: Int

        public init(url: String, port: Int) {
            self.url = url
            self.port = port
        }

        /// What to connect to by its answer; nil when that names no host.
        public func address(answer: [UInt8]) -> String? {
            let words = String(decoding: answer.prefix(300), as: UTF8.self).split(whereSeparator: \.isWhitespace)
            guard answer.count <= 300, words.count == 1 else { return nil }
            let host = words[0].contains(":") && !words[0].hasPrefix("[") ? "[\(words[0])]" : String(words[0])
            guard case .success(let parsed) = HTTPAddress.parse("http://\(host)"), parsed.path.isEmpty,
                parsed.host == parsed.authority
            else { return nil }
            return "\(parsed.host):\(port)"
        }
    }

    public var service: S3Service = .amazon(dualStack: false)
    public var nodeSource: NodeSource?
    /// The bucket goes into the path, not into the host name.
    public var usesPathStyle = false
    /// Nil: unknown; the service is asked where that matters.
    public var region: String?
    public var common = CommonSettings()

    public var partSizeBytes = 20 << 20
    /// Whether a digest of what is uploaded is part of the signature.
    public var signsPayload = true
    public var storageClass: String?
    public var encryption: Encryption?
    public var retention: Retention?
    /// To be sent with every request.
    public var additionalHeaders: [(name: String, value: String)] = []

    public var usesListObjectsV1 = false
    public var deleteBatchSize = 1000
    public var maximumRetries = 10
    public var minimumThrottlingDelay: Duration = .milliseconds(500)
    public var maximumThrottlingDelay: Duration = .seconds(30)
    public var connectTimeout: Duration = .seconds(10)
    public var stallTimeout: Duration = .seconds(30)
    public var requestTimeout: Duration = .seconds(600)

    /// Which variable, or profile, each value came from, by the name of the variable's declaration.
    public private(set) var origins: [String: String] = [:]
    /// Resolves the settings of one bucket for one role. Throws all faults at once.
    public init(bucket: String, environment: RoleEnvironment) throws(SettingsError) {
        var reader = SettingsReader(environment, endpoints: [S3Variables.endpoint])
        var profiles: AWSProfiles?
        do throws(SettingsError) {
            profiles = try AWSProfiles(AWSIdentity(environment))
        } catch {
            for fault in error.faults { reader.fault(fault.variable, fault.problem) }
        }
        readService(&reader, profiles)
        let isVirtual = service.isAmazon && ContainerName.fitsHostName(bucket, isEncrypted: service.isEncrypted)
        usesPathStyle = reader.boolean(S3Variables.forcePathStyle) ?? !isVirtual
        common.read(&reader, ownAuthorities: S3Variables.certificateAuthorityFile)
        readWriting(&reader)
        readLimits(&reader)
        guard reader.faults.isEmpty else { throw SettingsError(faults: reader.faults) }
        origins.merge(reader.origins) { $1 }
    }

    /// The 32 bytes of a key; nil when it is something else. In Base64 they are 44 letters: there is no mistaking.
    public static func decodeKey(_ key: Secret) -> [UInt8]? {
        let text = Array(key.reveal().utf8)
        if text.count == 32 { return text }
        let bytes = [UInt8](base64: key.reveal())
        return bytes?.count == 32 ? bytes : nil
    }

    private mutating func readService(_ reader: inout SettingsReader, _ profiles: AWSProfiles?) {
        let dualStack = reader.boolean(S3Variables.dualStack) ?? false
        service = .amazon(dualStack: dualStack)
        let fromProfile = profiles.map { "profile \($0.selected)" } ?? ""
        if let value = reader.text(S3Variables.region) {
            region = value.text
            let isName = value.text.utf8.allSatisfy { PercentEncoding.isUnreserved($0) } && value.text.utf8.count < 64
            if !isName { reader.fault(value.variable, "is not the name of a region: \(shown(value.text))") }
        } else if let name = profiles?.profile?["region"] {
            region = name
            origins[S3Variables.region.name] = fromProfile
        }
        var endpoint = reader.text(S3Variables.endpoint)
        let ignoresProfile = reader.boolean(S3Variables.ignoreProfileEndpoint) ?? false
        if endpoint == nil, !ignoresProfile, let url = profiles?.endpoint(service: "s3") {
            endpoint = RoleEnvironment.Value(text: url, variable: "endpoint_url of \(fromProfile)")
            origins[S3Variables.endpoint.name] = fromProfile
        }
        defer { readNodeSource(&reader) }
        guard let endpoint else { return }
        switch HTTPAddress.parse(endpoint.text) {
        case .failure(let fault): reader.fault(endpoint.variable, fault.problem)
        case .success(let address):
            service = .other(scheme: address.scheme, authority: address.authority, path: address.path)
            // Amazon's own general host: the region tells the real one.
            if address == HTTPAddress(scheme: "https", authority: "s3.amazonaws.com", path: "") {
                service = .amazon(dualStack: dualStack)
            } else if dualStack, !service.isAmazon {
                reader.fault(
                    reader.origins[S3Variables.dualStack.name] ?? S3Variables.dualStack.name,
                    "is for Amazon's own hosts only, and \(endpoint.variable) names another")
            }
        }
    }

    /// True where plain http stays within this machine.
    private var staysHere: Bool { service.isLoopback && nodeSource == nil }

    private mutating func readNodeSource(_ reader: inout SettingsReader) {
        let port = reader.integer(S3Variables.endpointPort, in: 1...65535, default: 443)
        let scheme = reader.text(S3Variables.endpointProtocol)
        if let scheme, scheme.text != "http", scheme.text != "https" {
            reader.fault(scheme.variable, "is \(shown(scheme.text)); it must be http or https")
        }
        guard let source = reader.text(S3Variables.endpointSource) else { return }
        // Its query, if it has one, is its own affair.
        switch HTTPAddress.parse(source.text.split(separator: "?", maxSplits: 1).first.map(String.init) ?? "") {
        case .failure(let fault): reader.fault(source.variable, fault.problem)
        case .success(let address):
            guard source.text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") }) else {
                return reader.fault(source.variable, "is not a URL")
            }
            let hasScheme = source.text.lowercased().hasPrefix("\(address.scheme)://")
            nodeSource = NodeSource(url: hasScheme ? source.text : "https://\(source.text)", port: port)
        }
        if let scheme { service.speak(scheme.text) }
    }

    private mutating func readRetention(_ reader: inout SettingsReader) {
        let seconds = reader.integer(S3Variables.retentionPeriod, in: -1...Self.longestRetention, default: -1)
        if seconds == 0 {
            let name = reader.origins[S3Variables.retentionPeriod.name] ?? S3Variables.retentionPeriod.name
            reader.fault(name, "is 0; it must be -1 for no lock, or 1 to \(Self.longestRetention)")
        }
        let mode = reader.text(S3Variables.retentionMode)
        if let mode, mode.text != "GOVERNANCE", mode.text != "COMPLIANCE" {
            reader.fault(mode.variable, "is \(shown(mode.text)); it must be GOVERNANCE or COMPLIANCE")
        }
        if seconds > 0 { retention = Retention(mode: mode?.text ?? "GOVERNANCE", seconds: seconds) }
    }

    /// A hundred years, the most that Amazon takes.
    private static let longestRetention = 100 * 365 * 86_400

    private mutating func readWriting(_ reader: inout SettingsReader) {
        // The limits of the service: parts of 5 MiB to 5 GiB.
        partSizeBytes = reader.bytes(S3Variables.partSize, in: 5 << 20...5 << 30, default: partSizeBytes)
        // Between two programs of one machine nobody can change what is sent.
        signsPayload = reader.boolean(S3Variables.signsPayload) ?? (service.isEncrypted || !staysHere)
        if !signsPayload, !service.isEncrypted, !staysHere {
            reader.fault(
                reader.origins[S3Variables.signsPayload.name] ?? S3Variables.signsPayload.name,
                "is false, but the endpoint is plain http: what is sent could be changed on its way")
        }
        if let value = reader.text(S3Variables.storageClass) {
            storageClass = value.text
            let isName = value.text.utf8.allSatisfy { PercentEncoding.isUnreserved($0) }
            if !isName { reader.fault(value.variable, "is not the name of a storage class: \(shown(value.text))") }
        }
        readEncryption(&reader)
        readRetention(&reader)
        if let value = reader.text(S3Variables.additionalHeaders, mayHaveLines: true) {
            switch HeaderList.parse(value.text) {
            case .success(let headers): additionalHeaders = headers
            case .failure(let fault): reader.fault(value.variable, fault.problem)
            }
        }
    }

    private mutating func readEncryption(_ reader: inout SettingsReader) {
        let algorithm = reader.text(S3Variables.encryption)
        let keyID = reader.text(S3Variables.encryptionKeyID)
        let customerKey = reader.text(S3Variables.customerKey)
        if let algorithm {
            let needsKey = algorithm.text.hasPrefix("aws:")
            if !["AES256", "aws:kms", "aws:kms:dsse"].contains(algorithm.text) {
                reader.fault(
                    algorithm.variable, "is \(shown(algorithm.text)); it must be AES256, aws:kms or aws:kms:dsse")
            } else if needsKey, keyID == nil {
                let name = reader.environment.advisedName(S3Variables.encryptionKeyID.name)
                reader.fault(name, "is not set; \(algorithm.variable)=\(algorithm.text) needs it")
            } else if !needsKey, let keyID {
                reader.fault(keyID.variable, "is set, but \(algorithm.variable)=\(algorithm.text) takes no key id")
            }
            encryption = .service(algorithm: algorithm.text, keyID: keyID?.text)
        } else if let keyID {
            let name = reader.environment.advisedName(S3Variables.encryption.name)
            reader.fault(keyID.variable, "is set, but \(name) is not aws:kms")
        }
        guard let customerKey else { return }
        encryption = .customer(key: Secret(customerKey.text))
        // WAL-G names its algorithm so, and AES256 is the only one there is.
        if let algorithm, algorithm.text != "AES256" {
            reader.fault(
                customerKey.variable,
                "is set, but \(algorithm.variable) is \(shown(algorithm.text)); only one of them can encrypt")
        }
        if Self.decodeKey(Secret(customerKey.text)) == nil {
            reader.fault(customerKey.variable, "is not 32 bytes, as they are or in Base64")
        }
        if !service.isEncrypted, !staysHere {
            reader.fault(customerKey.variable, "would be sent unencrypted: the endpoint is plain http")
        }
    }

    private mutating func readLimits(_ reader: inout SettingsReader) {
        usesListObjectsV1 = reader.boolean(S3Variables.usesListObjectsV1) ?? false
        deleteBatchSize = reader.integer(S3Variables.deleteBatchSize, in: 1...1000, default: deleteBatchSize)
        maximumRetries = reader.integer(S3Variables.maxRetries, in: 0...1000, default: maximumRetries)
        let shortest = S3Variables.minThrottlingDelay
        let longest = S3Variables.maxThrottlingDelay
        minimumThrottlingDelay = reader.duration(shortest, unit: "ms", in: 1...3_600_000, default: 500)
        maximumThrottlingDelay = reader.duration(longest, unit: "ms", in: 1...3_600_000, default: 30_000)
        if minimumThrottlingDelay > maximumThrottlingDelay {
            if reader.origins[longest.name] != nil {
                let (low, high) = (reader.origins[shortest.name] ?? shortest.name, reader.origins[longest.name] ?? "")
                reader.fault(high, "is less than \(low)")
            } else {
                maximumThrottlingDelay = minimumThrottlingDelay
            }
        }
        connectTimeout = reader.duration(S3Variables.connectTimeout, unit: "s", in: 100...3_600_000, default: 10_000)
        stallTimeout = reader.duration(S3Variables.stallTimeout, unit: "s", in: 1000...3_600_000, default: 30_000)
        requestTimeout = reader.duration(S3Variables.requestTimeout, unit: "s", in: 1000...86_400_000, default: 600_000)
    }
}
