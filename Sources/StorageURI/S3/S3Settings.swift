import Digests

/// Everything about one S3 storage but its location and its credentials.
public struct S3Settings: Sendable {
    public enum Encryption: Sendable, Hashable {
        /// By the service: `AES256`, `aws:kms` or `aws:kms:dsse`, the latter two with the id of a key.
        case service(algorithm: String, keyID: String?)
        /// With a key of our own (SSE-C): 32 bytes, in Base64. `S3Settings.decodeKey` gives the bytes.
        case customer(key: Secret)
    }

    public var service: S3Service = .amazon(dualStack: false)
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
        var reader = SettingsReader(environment)
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
        // What would lead elsewhere than WAL-G goes is not passed over.
        for declaration in S3Variables.withoutEffect where declaration.kind == .endpoint {
            guard let value = environment.value(declaration) else { continue }
            reader.fault(value.variable, "is not supported: name the service in AWS_ENDPOINT_URL")
        }
        guard reader.faults.isEmpty else { throw SettingsError(faults: reader.faults) }
        origins.merge(reader.origins) { $1 }
    }

    /// The 32 bytes of a key in Base64; nil when it is something else.
    public static func decodeKey(_ key: Secret) -> [UInt8]? {
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

    private mutating func readWriting(_ reader: inout SettingsReader) {
        // The limits of the service: parts of 5 MiB to 5 GiB.
        partSizeBytes = reader.bytes(S3Variables.partSize, in: 5 << 20...5 << 30, default: partSizeBytes)
        // Between two programs of one machine nobody can change what is sent.
        signsPayload = reader.boolean(S3Variables.signsPayload) ?? (service.isEncrypted || !service.isLoopback)
        if !signsPayload, !service.isEncrypted, !service.isLoopback {
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
        if let algorithm {
            reader.fault(customerKey.variable, "is set as well as \(algorithm.variable); only one of them can encrypt")
        }
        if Self.decodeKey(Secret(customerKey.text)) == nil {
            reader.fault(customerKey.variable, "is not 32 bytes in Base64")
        }
        if !service.isEncrypted, !service.isLoopback {
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
