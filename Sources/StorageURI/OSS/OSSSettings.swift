/// Everything about one OSS storage but its location and its credentials.
public struct OSSSettings: Sendable {
    public var endpoint: OSSEndpoint
    /// Nil: not known, which version 1 of the signature can do without.
    public var region: String?
    /// Sign by version 1, without the region.
    public var usesV1: Bool
    public var common = CommonSettings()

    public var partSizeBytes = 20 << 20
    public var storageClass: String?
    public var maximumRetries = 10
    public var connectTimeout: Duration = .seconds(5)
    public var stallTimeout: Duration = .seconds(30)
    public var requestTimeout: Duration = .seconds(600)

    /// Which variable each value came from, by the name of the variable's declaration.
    public private(set) var origins: [String: String] = [:]

    /// Resolves the settings of one bucket for one role. Throws all faults at once.
    public init(bucket: String, environment: RoleEnvironment) throws(SettingsError) {
        var reader = SettingsReader(environment)
        region = Self.region(&reader)
        endpoint = Self.endpoint(&reader, bucket: bucket, region: region)
        region = region ?? endpoint.region
        usesV1 = region == nil
        readSignature(&reader)
        common.read(&reader)
        // The limits of the service: parts of 100 KiB to 5 GiB.
        partSizeBytes = reader.bytes(OSSVariables.partSize, in: 100 << 10...5 << 30, default: partSizeBytes)
        if let value = reader.text(OSSVariables.storageClass) {
            storageClass = value.text
            let isName = value.text.utf8.allSatisfy { PercentEncoding.isUnreserved($0) }
            if !isName { reader.fault(value.variable, "is not the name of a storage class: \(shown(value.text))") }
        }
        maximumRetries = reader.integer(OSSVariables.maxRetries, in: 0...1000, default: maximumRetries)
        connectTimeout = reader.duration(OSSVariables.connectTimeout, unit: "s", in: 100...3_600_000, default: 5000)
        stallTimeout = reader.duration(OSSVariables.stallTimeout, unit: "s", in: 1000...3_600_000, default: 30_000)
        requestTimeout = reader.duration(
            OSSVariables.requestTimeout, unit: "s", in: 1000...86_400_000, default: 600_000)
        guard reader.faults.isEmpty else { throw SettingsError(faults: reader.faults) }
        origins = reader.origins
    }

    private static func region(_ reader: inout SettingsReader) -> String? {
        guard let value = reader.text(OSSVariables.region) else { return nil }
        // The console shows the region as it begins its hosts' names.
        let name = value.text.hasPrefix("oss-") ? String(value.text.dropFirst(4)) : value.text
        let isName = name.utf8.allSatisfy { PercentEncoding.isUnreserved($0) && $0 != UInt8(ascii: ".") }
        if !isName || name.isEmpty {
            reader.fault(value.variable, "is not the name of a region: \(shown(value.text))")
        }
        return name
    }

    private static func endpoint(_ reader: inout SettingsReader, bucket: String, region: String?) -> OSSEndpoint {
        let style = style(&reader)
        guard let value = reader.text(OSSVariables.endpoint) else {
            let name = reader.environment.advisedName(OSSVariables.region.name)
            if region == nil, reader.origins[OSSVariables.endpoint.name] == nil {
                reader.fault(name, "is not set; it says where the bucket is")
            }
            var endpoint = OSSEndpoint(region: region ?? "")
            if let style {
                endpoint.style = style.style
                if style.style == .cname {
                    let name = reader.environment.advisedName(OSSVariables.endpoint.name)
                    reader.fault(name, "is not set; \(style.variable)=cname needs it")
                }
            }
            return endpoint
        }
        switch HTTPAddress.parse(value.text) {
        case .failure(let fault):
            reader.fault(value.variable, fault.problem)
            return OSSEndpoint(region: region ?? "")
        case .success(let address):
            if !address.path.isEmpty { reader.fault(value.variable, "has a path, which no address of OSS has") }
            // A bucket's name cannot stand before a number.
            let usual: OSSEndpoint.Style = address.isNumeric || address.host == "localhost" ? .path : .virtual
            let style = style?.style ?? usual
            if style == .virtual, address.host.hasPrefix("\(bucket).") {
                reader.fault(
                    value.variable, "begins with the bucket's name, which is put there by itself: leave it out")
            }
            return OSSEndpoint(scheme: address.scheme, authority: address.authority, style: style)
        }
    }

    private static func style(_ reader: inout SettingsReader) -> (style: OSSEndpoint.Style, variable: String)? {
        guard let value = reader.text(OSSVariables.addressingStyle) else { return nil }
        guard let style = OSSEndpoint.Style(rawValue: value.text.lowercased()) else {
            reader.fault(value.variable, "is \(shown(value.text)); it must be virtual, path or cname")
            return nil
        }
        return (style, value.variable)
    }

    private mutating func readSignature(_ reader: inout SettingsReader) {
        guard let value = reader.text(OSSVariables.signatureVersion) else { return }
        switch value.text.lowercased() {
        case "v1": usesV1 = true
        case "v4":
            if region == nil {
                let name = reader.environment.advisedName(OSSVariables.region.name)
                reader.fault(name, "is not set; \(value.variable)=v4 needs it")
            }
        default: reader.fault(value.variable, "is \(shown(value.text)); it must be v4 or v1")
        }
    }
}

extension HTTPAddress {
    /// Whether the host is an address in numbers.
    fileprivate var isNumeric: Bool {
        let numbers = host.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        return host.hasPrefix("[") || numbers.count == 4 && !numbers.contains(nil)
    }
}
