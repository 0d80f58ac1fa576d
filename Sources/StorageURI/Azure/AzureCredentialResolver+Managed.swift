import FoundationEssentials

/// Managed identities: tokens that the machine's surroundings hand out.
extension AzureCredentialResolver {
    /// What tokens are for, in every cloud.
    static let resource = "https://storage.azure.com/"

    func managedIdentity() async throws -> CredentialOutcome<AzureCredentials> {
        if let reason = try exclusion(.managed) { return .absent(reason) }
        guard identity.mayBeManaged else { return .absent("not for this role") }
        let client = identity.value(Variables.clientID)?.text
        let name = "managed identity" + (client.map { " \(message($0))" } ?? "")
        if let endpoint = identity.machineValue(Variables.identityEndpoint) {
            return .found(try await appService(endpoint, client: client, name: name))
        }
        return try await metadata(client: client, name: name)
    }

    private func query(_ version: String, _ client: String?) -> String {
        "?api-version=\(version)&resource=\(PercentEncoding.encode(Self.resource))"
            + (client.map { "&client_id=\(PercentEncoding.encode($0))" } ?? "")
    }

    private func appService(
        _ endpoint: RoleEnvironment.Value, client: String?, name: String
    ) async throws -> AzureCredentials {
        let address: HTTPAddress
        switch HTTPAddress.parse(endpoint.text) {
        case .failure(let fault): throw CredentialSourceFailure(endpoint.variable, fault.problem)
        case .success(let parsed): address = parsed
        }
        // Azure Arc's way, which reads a file that only some users may.
        guard let header = identity.machineValue(Variables.identityHeader) else {
            throw CredentialSourceFailure(
                endpoint.variable,
                "is set, but \(identity.name(Variables.identityHeader)) is not; Azure Arc is not supported")
        }
        guard header.text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw CredentialSourceFailure(header.variable, "has a space, a line break or a letter that no header has")
        }
        let request = HTTPFetchRequest(
            url: address.text + query("2019-08-01", client), headers: [("X-IDENTITY-HEADER", header.text)],
            timeout: .seconds(30))
        let source = "\(name) of \(endpoint.variable)"
        let response = try await http.send(request, from: source)
        return try EntraToken.credentials(
            response, from: address.host, source: source, identity: client.map { "client \($0)" } ?? "system-assigned",
            hiding: [Secret(header.text)], now: now())
    }

    /// Statuses by which the metadata service says to come back.
    private static let passing: Set<Int> = [404, 410]

    private func metadata(client: String?, name: String) async throws -> CredentialOutcome<AzureCredentials> {
        let value = identity.machineValue(Variables.metadataHost)
        let base: HTTPAddress
        switch HTTPAddress.parse(value?.text ?? "http://169.254.169.254") {
        case .failure(let fault):
            throw CredentialSourceFailure(value?.variable ?? Variables.metadataHost.name, fault.problem)
        case .success(let address): base = address
        }
        let url = "\(base.text)/metadata/identity/oauth2/token"
        // Without its header the service refuses at once; what it gives with it may take a while.
        do {
            _ = try await http.send(HTTPFetchRequest(url: url, timeout: .seconds(1)), from: name, attempts: 2)
        } catch let error as CredentialSourceFailure {
            // No answer is the ordinary case outside of Azure's machines.
            if let value { throw CredentialSourceFailure(value.variable, error.problem) }
            return .absent("\(error.problem) from \(base.host)")
        }
        let request = HTTPFetchRequest(
            url: url + query("2018-02-01", client), headers: [("Metadata", "true")], timeout: .seconds(30))
        let response = try await http.send(request, from: name, attempts: 6, passing: Self.passing)
        let credentials = try EntraToken.credentials(
            response, from: base.host, source: "managed identity",
            identity: client.map { "client \($0)" } ?? "the machine's", hiding: [], now: now())
        return .found(credentials)
    }
}
