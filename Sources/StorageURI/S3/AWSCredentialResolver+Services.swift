/// Keys that the machine's surroundings hand out: container services and the instance's metadata.
extension AWSCredentialResolver {
    /// The address of ECS' credential service, which gives plain http on the host's own network.
    private static let containerServices: Set<String> = ["169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"]

    func containerCredentials() async throws -> CredentialOutcome<AWSCredentials> {
        let url: String
        let source: String
        if let path = identity.value(Variables.containerRelativeURI) {
            guard path.text.hasPrefix("/") else {
                throw CredentialSourceFailure(path.variable, "does not begin with a slash")
            }
            (url, source) = ("http://169.254.170.2\(path.text)", "container credentials of \(path.variable)")
        } else if let full = identity.value(Variables.containerFullURI) {
            let base = full.text.split(separator: "?", omittingEmptySubsequences: false)[0]
            switch HTTPAddress.parse(String(base)) {
            case .failure(let fault): throw CredentialSourceFailure(full.variable, fault.problem)
            case .success(let address):
                let isNear =
                    HTTPAddress.isLoopback(authority: address.authority)
                    || Self.containerServices.contains(address.host)
                guard address.scheme == "https" || isNear else {
                    throw CredentialSourceFailure(
                        full.variable, "keys would come unencrypted from \(address.host); use https")
                }
            }
            (url, source) = (full.text, "container credentials of \(full.variable)")
        } else {
            return .absent("not set")
        }
        guard url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw CredentialSourceFailure(source, "is not a URL")
        }
        var headers: [(name: String, value: String)] = [("Accept", "application/json")]
        if let token = try containerToken() { headers.append(("Authorization", token.reveal())) }
        let response = try await http.send(
            HTTPFetchRequest(url: url, headers: headers, timeout: .seconds(5)), from: source)
        return .found(try CredentialDocument.credentials(response, source: source))
    }

    private func containerToken() throws -> Secret? {
        if let file = identity.value(Variables.containerTokenFile) {
            let text: String
            do throws(TextFile.Failure) { text = try TextFile.read(file.text) } catch {
                throw CredentialSourceFailure(file.variable, "\(shown(file.text)) cannot be read")
            }
            return Secret(try checked(text, file.variable))
        }
        guard let token = identity.value(Variables.containerToken) else { return nil }
        return Secret(try checked(token.text, token.variable))
    }

    /// A token that is one line, without the line's end: a header cannot hold another.
    private func checked(_ text: String, _ variable: String) throws -> String {
        let lines = text.split(whereSeparator: \.isNewline)
        guard lines.count == 1, lines[0].utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) else {
            throw CredentialSourceFailure(variable, "does not hold one line that can be sent as a header")
        }
        return String(lines[0])
    }

    /// Keys of the instance's role, by version 2 of the metadata service only: version 1 hands them to anybody who
    /// can make a program here fetch a URL.
    ///
    /// - Parameter isNamed: True where the configuration names this source.
    func instanceMetadata(isNamed: Bool) async throws -> CredentialOutcome<AWSCredentials> {
        let environment = identity.environment
        let address = identity.value(Variables.metadataEndpoint)
        guard isNamed || identity.isAmbientAllowed || address != nil else { return .absent("not for this role") }
        if let disabled = environment.value(Variables.metadataDisabled), SettingsReader.boolean(disabled.text) == true {
            return .absent("turned off by \(disabled.variable)")
        }
        let mode = environment.value(Variables.metadataEndpointMode)?.text.lowercased()
        let base: String
        switch HTTPAddress.parse(
            address?.text ?? (mode == "ipv6" ? "http://[fd00:ec2::254]" : "http://169.254.169.254"))
        {
        case .failure(let fault):
            throw CredentialSourceFailure(address?.variable ?? Variables.metadataEndpoint.name, fault.problem)
        case .success(let parsed): base = parsed.text
        }
        let source = "instance metadata"
        let token: Secret
        switch try await metadataToken(base, isNamed: isNamed || address != nil) {
        case .failure(let absence): return .absent(absence.why)
        case .success(let found): token = found
        }
        let folder = "\(base)/latest/meta-data/iam/security-credentials/"
        let names = try await metadata(folder, token)
        guard names.status != 404 else { return .absent("the instance has no role") }
        guard names.status == 200,
            let name = String(decoding: names.body, as: UTF8.self).split(whereSeparator: \.isNewline).first
        else { throw CredentialSourceFailure(source, "answered \(names.status) when asked for the instance's role") }
        let keys = try await metadata(folder + PercentEncoding.encode(String(name)), token)
        return .found(try CredentialDocument.credentials(keys, source: "\(source), role \(message(String(name)))"))
    }

    private struct Absence: Error { let why: String }

    private func metadataToken(_ base: String, isNamed: Bool) async throws -> Result<Secret, Absence> {
        let source = "instance metadata"
        let request = HTTPFetchRequest(
            method: "PUT", url: "\(base)/latest/api/token",
            headers: [("X-aws-ec2-metadata-token-ttl-seconds", "21600")], timeout: .seconds(1))
        let response: HTTPFetchResponse
        do { response = try await http.send(request, from: source, attempts: 2) } catch let error
            as CredentialSourceFailure
        {
            // No answer is the ordinary case outside of Amazon's machines.
            let why = "\(error.problem) from \(base) (in a container on an instance: its hop limit must be 2 or more)"
            if isNamed { throw CredentialSourceFailure(source, why) }
            return .failure(Absence(why: why))
        }
        let token = String(decoding: response.body, as: UTF8.self)
        guard response.status == 200, !token.isEmpty, token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            let why = "\(base) gives no session token (\(response.status)): the service is off, or is another"
            if isNamed { throw CredentialSourceFailure(source, why) }
            return .failure(Absence(why: why))
        }
        return .success(Secret(token))
    }

    private func metadata(_ url: String, _ token: Secret) async throws -> HTTPFetchResponse {
        try await http.send(
            HTTPFetchRequest(
                url: url, headers: [("X-aws-ec2-metadata-token", token.reveal())], timeout: .seconds(2)),
            from: "instance metadata")
    }
}
