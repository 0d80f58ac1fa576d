/// Keys that the machine's surroundings hand out.
extension AlibabaCredentialResolver {
    /// Plain http on the host's own network: no other address has it.
    private static let metadataService = "http://100.100.100.200"
    private static let metadata = "instance metadata"

    /// Keys of the instance's role.
    ///
    /// - Parameters:
    ///   - role: The role; nil: the instance's only one.
    ///   - isNamed: True where a profile asks for this source.
    func instanceMetadata(role: String?, isNamed: Bool) async throws -> CredentialOutcome<AlibabaCredentials> {
        let role = role ?? identity.value(Variables.instanceRole)?.text
        let isNamed = isNamed || role != nil
        guard isNamed || identity.isAmbientAllowed else { return .absent("not for this role") }
        if identity.isOn(Variables.metadataDisabled) {
            return .absent("turned off by \(identity.environment.value(Variables.metadataDisabled)?.variable ?? "")")
        }
        let token: Secret?
        switch try await metadataToken(isNamed: isNamed) {
        case .failure(let absence): return .absent(absence.why)
        case .success(let found): token = found
        }
        let folder = "\(Self.metadataService)/latest/meta-data/ram/security-credentials/"
        var name = role ?? ""
        if role == nil {
            let names = try await metadata(folder, token)
            guard names.status != 404 else { return .absent("the instance has no role") }
            guard names.status == 200,
                let first = String(decoding: names.body, as: UTF8.self).split(whereSeparator: \.isWhitespace).first
            else {
                throw CredentialSourceFailure(
                    Self.metadata, "answered \(names.status) when asked for the instance's role")
            }
            name = String(first)
        }
        let keys = try await metadata(folder + PercentEncoding.encode(name), token)
        return .found(try AlibabaDocument.credentials(keys, source: "\(Self.metadata), role \(message(name))"))
    }

    private struct Absence: Error { let why: String }

    /// A session's token; nil where the service gives none, and may be asked without.
    private func metadataToken(isNamed: Bool) async throws -> Result<Secret?, Absence> {
        let request = HTTPFetchRequest(
            method: "PUT", url: "\(Self.metadataService)/latest/api/token",
            headers: [("X-aliyun-ecs-metadata-token-ttl-seconds", "21600")], timeout: .seconds(1))
        let response: HTTPFetchResponse
        do { response = try await http.send(request, from: Self.metadata, attempts: 2) } catch let error
            as CredentialSourceFailure
        {
            // No answer is the ordinary case outside of the vendor's machines.
            let why = "\(error.problem) from \(Self.metadataService)"
            if isNamed { throw CredentialSourceFailure(Self.metadata, why) }
            return .failure(Absence(why: why))
        }
        let token = String(decoding: response.body, as: UTF8.self)
        if response.status == 200, !token.isEmpty, token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) {
            return .success(Secret(token))
        }
        guard identity.isOn(Variables.metadataV1Disabled) else { return .success(nil) }
        let why = "\(Self.metadataService) gives no session token (\(response.status))"
        if isNamed { throw CredentialSourceFailure(Self.metadata, why) }
        return .failure(Absence(why: why))
    }

    private func metadata(_ url: String, _ token: Secret?) async throws -> HTTPFetchResponse {
        let headers = token.map { [("X-aliyun-ecs-metadata-token", $0.reveal())] } ?? []
        return try await http.send(
            HTTPFetchRequest(url: url, headers: headers.map { (name: $0.0, value: $0.1) }, timeout: .seconds(2)),
            from: Self.metadata)
    }

    func credentialsURI() async throws -> CredentialOutcome<AlibabaCredentials> {
        guard let uri = identity.value(Variables.credentialsURI) else { return .absent("not set") }
        let base = uri.text.split(separator: "?", omittingEmptySubsequences: false)[0]
        switch HTTPAddress.parse(String(base)) {
        case .failure(let fault): throw CredentialSourceFailure(uri.variable, fault.problem)
        case .success(let address):
            guard address.scheme == "https" || HTTPAddress.isLoopback(authority: address.authority) else {
                throw CredentialSourceFailure(
                    uri.variable, "keys would come unencrypted from \(address.host); use https")
            }
        }
        guard uri.text.contains("://"), uri.text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw CredentialSourceFailure(uri.variable, "is not a URL")
        }
        let response = try await http.send(
            HTTPFetchRequest(url: uri.text, timeout: .seconds(10)), from: uri.variable)
        return .found(try AlibabaDocument.credentials(response, source: uri.variable))
    }
}
