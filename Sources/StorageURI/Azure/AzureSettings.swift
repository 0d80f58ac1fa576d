/// Everything about one storage of Azure but its location and its credentials.
public struct AzureSettings: Sendable {
    /// The version of the interface that is used unless a variable says otherwise: new enough for all that is needed, old
    /// enough for services that are not Azure's own.
    static let usualAPIVersion = "2021-12-02"
    /// Smaller blocks are not worth a request, and an object has at most so many.
    private static let smallestBlock = 1 << 20
    /// The most that a block may have.
    private static let largestBlock = 4000 << 20

    public private(set) var service: AzureService
    public private(set) var common = CommonSettings()
    public private(set) var apiVersion = Self.usualAPIVersion
    public private(set) var partSizeBytes = 8 << 20
    /// Nil: as long as bytes move.
    public private(set) var requestTimeout: Duration? = .seconds(300)
    public private(set) var maximumRetries = 10

    /// True where the account is one that only this role names.
    let isAccountOwn: Bool
    let cloud: AzureCloud
    /// Which variable each value came from, by the name of the variable's declaration.
    private(set) var origins: [String: String] = [:]

    /// Resolves the settings for one role. Throws all faults at once.
    public init(_ environment: RoleEnvironment) throws(SettingsError) {
        var reader = SettingsReader(environment)
        cloud = Self.readCloud(&reader)
        let suffix = Self.readSuffix(&reader) ?? cloud.endpointSuffix
        let place = AzurePlace.read(&reader, suffix: suffix)
        service = place.service
        isAccountOwn = place.isOwn
        common.read(&reader)
        readLimits(&reader)
        guard reader.faults.isEmpty else { throw SettingsError(faults: reader.faults) }
        origins = reader.origins
        if let variable = place.variable { origins[AzureVariables.serviceEndpoint.name] = variable }
    }

    private static func readCloud(_ reader: inout SettingsReader) -> AzureCloud {
        guard let value = reader.text(AzureVariables.cloud) else { return .global }
        if let cloud = AzureCloud(name: value.text) { return cloud }
        let names = AzureCloud.allCases.map(\.rawValue)
        reader.fault(
            value.variable, "is \(shown(value.text)), which is none of Azure's clouds: \(names.joined(separator: ", "))"
        )
        return .global
    }

    private static func readSuffix(_ reader: inout SettingsReader) -> String? {
        guard let value = reader.text(AzureVariables.endpointSuffix) else { return nil }
        let suffix = value.text.drop { $0 == "." }
        guard case .success(let address) = HTTPAddress.parse("https://\(suffix)"), address.path.isEmpty else {
            reader.fault(value.variable, "is not the end of a host name: \(shown(value.text))")
            return nil
        }
        return address.authority
    }

    private mutating func readLimits(_ reader: inout SettingsReader) {
        partSizeBytes = max(
            Self.smallestBlock,
            reader.bytes(AzureVariables.bufferSize, in: 0...Self.largestBlock, default: partSizeBytes))
        common.uploadConcurrency = max(
            1, reader.integer(AzureVariables.maxBuffers, in: 0...256, default: common.uploadConcurrency))
        let timeout = reader.duration(AzureVariables.tryTimeout, unit: "min", in: 0...86_400_000, default: 300_000)
        requestTimeout = timeout == .zero ? nil : timeout
        maximumRetries = reader.integer(AzureVariables.maxRetries, in: 0...1000, default: maximumRetries)
        guard let value = reader.text(AzureVariables.apiVersion) else { return }
        apiVersion = value.text
        let lengths = value.text.split(separator: "-", omittingEmptySubsequences: false).map(\.utf8.count)
        let isDate = lengths == [4, 2, 2] && value.text.utf8.allSatisfy { $0 == 0x2D || (0x30...0x39).contains($0) }
        if !isDate { reader.fault(value.variable, "is not a date, such as 2019-12-12: \(shown(value.text))") }
    }
}

/// Which account, and where, by variables of one kind: those of the role, or the unprefixed ones.
private struct AzurePlace {
    let service: AzureService
    var isOwn = false
    var variable: String?

    private static let nowhere = AzurePlace(service: AzureService(account: "", suffix: ""))

    static func read(_ reader: inout SettingsReader, suffix: String) -> AzurePlace {
        let environment = reader.environment
        let scopes: [RoleEnvironment.Scope] = environment.role == nil ? [.any] : [.ownOnly, .unprefixedOnly]
        for scope in scopes {
            let text = environment.value(AzureCredentialVariables.connectionString, in: scope)
            let account = environment.value(AzureVariables.account, in: scope)
            let endpoint = environment.value(AzureVariables.serviceEndpoint, in: scope)
            guard text != nil || account != nil || endpoint != nil else { continue }
            var place: AzurePlace
            if let text {
                place = connected(&reader, text, account, endpoint, suffix: suffix)
            } else {
                // An endpoint of the role's own may be of the account that both have.
                place = named(
                    &reader, account ?? environment.value(AzureVariables.account), endpoint, suffix: suffix)
            }
            let isInherited = text == nil && account == nil && environment.value(AzureVariables.account) != nil
            place.isOwn = scope == .ownOnly && !isInherited
            return place
        }
        reader.fault(
            environment.advisedName(AzureVariables.account.name),
            "is not set; it names the storage account (\(AzureCredentialVariables.connectionString.name) does as well)")
        return nowhere
    }

    private static func connected(
        _ reader: inout SettingsReader, _ text: RoleEnvironment.Value, _ account: RoleEnvironment.Value?,
        _ endpoint: RoleEnvironment.Value?, suffix: String
    ) -> AzurePlace {
        let parsed: AzureConnectionString
        do throws(AzureConnectionString.Fault) {
            parsed = try AzureConnectionString(Secret(text.text), suffix: suffix)
        } catch {
            reader.fault(text.variable, error.problem)
            return nowhere
        }
        if let account, let other = parsed.account, account.text != other {
            reader.fault(
                account.variable, "is \(shown(account.text)), but \(text.variable) is for the account \(shown(other))")
        }
        if let endpoint {
            reader.fault(endpoint.variable, "is set as well as \(text.variable), which names the service")
        }
        return AzurePlace(service: parsed.service, variable: text.variable)
    }

    private static func named(
        _ reader: inout SettingsReader, _ account: RoleEnvironment.Value?, _ endpoint: RoleEnvironment.Value?,
        suffix: String
    ) -> AzurePlace {
        if let account, let problem = AzureService.problem(account: account.text) {
            reader.fault(account.variable, problem)
        }
        if let endpoint {
            switch HTTPAddress.parse(endpoint.text) {
            case .failure(let fault):
                reader.fault(endpoint.variable, fault.problem)
                return nowhere
            case .success(let address):
                return AzurePlace(
                    service: AzureService(address, account: account?.text), variable: endpoint.variable)
            }
        }
        guard let account else { return nowhere }
        return AzurePlace(service: AzureService(account: account.text, suffix: suffix), variable: account.variable)
    }
}
