import FoundationEssentials

/// The three versions of the identity service.
extension SwiftTokenResolver {
    /// The version to speak: as settled, else the highest that the service offers.
    func version(for value: RoleEnvironment.Value) async throws -> SwiftSettings.Version {
        if let version = settings.version { return version }
        let response = try await send(HTTPFetchRequest(url: try identityURL(for: value)), from: "the identity service")
        let offer = try? JSONDecoder().decode(KeystoneVersions.self, from: Data(response.body))
        // One that does not tell is most likely of the version that there has been since 2013.
        return offer?.ids.contains { $0.hasPrefix("v3") } ?? true ? .three : .two
    }

    private func identityURL(for value: RoleEnvironment.Value) throws(CredentialSourceFailure) -> String {
        if let url = settings.identityURL { return url }
        throw CredentialSourceFailure(
            value.variable, "is set, but \(identity.name(SwiftVariables.authURL)), which says where to log in, is not")
    }

    /// The service's address for a version, which may stand at its end already.
    private func identityURL(for value: RoleEnvironment.Value, version: String) throws(CredentialSourceFailure)
        -> String
    {
        let url = try identityURL(for: value)
        return ["v2", "v2.0", "v3"].contains { url.hasSuffix("/\($0)") } ? url : "\(url)/\(version)"
    }

    // MARK: - Version 1

    /// The storage's own users: name and key go and token and account come in the head.
    func loggedInV1(
        user: RoleEnvironment.Value, key: RoleEnvironment.Value, _ who: String
    ) async throws -> SwiftToken {
        let headers = [("X-Auth-User", try header(user).reveal()), ("X-Auth-Key", try header(key).reveal())]
        let response = try await send(
            HTTPFetchRequest(url: try identityURL(for: user), headers: headers), from: user.variable)
        guard (200..<300).contains(response.status) else {
            throw refusal(of: who, response, at: user.variable, hiding: [key.text])
        }
        guard let token = response.header("x-auth-token") ?? response.header("x-storage-token"), !token.isEmpty,
            let account = settings.storageURL ?? response.header("x-storage-url").flatMap(accountURL)
        else {
            throw CredentialSourceFailure(
                user.variable, "the identity service's answer has no token or no address of an account: is it one?")
        }
        let life = response.header("x-auth-token-expires").flatMap { Double($0) }
        return SwiftToken(
            token: Secret(token), storageURL: account, expiration: life.map { now() + $0 },
            source: "\(user.variable) (\(who))")
    }

    private func accountURL(_ text: String) -> String? {
        guard case .success(let address) = HTTPAddress.parse(text) else { return nil }
        guard settings.interface == .internal else { return address.text }
        return HTTPAddress(
            scheme: address.scheme, authority: "snet-\(address.authority)", path: address.path
        ).text
    }

    // MARK: - Version 2

    func loggedInV2(
        _ proof: KeystoneV2.Proof, by variable: String, _ who: String, hiding secrets: [String]
    ) async throws -> SwiftToken {
        var auth = proof
        auth.tenantId = identity.value(Variables.projectID)?.text
        if auth.tenantId == nil { auth.tenantName = identity.value(Variables.projectName)?.text }
        let place = RoleEnvironment.Value(text: "", variable: variable)
        let response = try await post(
            KeystoneV2.Request(auth: auth), to: "\(try identityURL(for: place, version: "v2.0"))/tokens", by: variable)
        guard response.status == 200 else { throw refusal(of: who, response, at: variable, hiding: secrets) }
        guard let access = try? JSONDecoder().decode(KeystoneV2.Response.self, from: Data(response.body)).access else {
            throw CredentialSourceFailure(variable, "the identity service's answer is not the JSON expected")
        }
        let services = (access.serviceCatalog ?? []).filter { $0.type == Self.serviceType }
        let entries = services.flatMap { ($0.endpoints ?? []).flatMap(\.entries) }
        return SwiftToken(
            token: Secret(access.token.id), storageURL: try storageURL(entries, variable),
            expiration: access.token.expires.flatMap(serviceTime), source: "\(variable) (\(who)\(projectWords))")
    }

    // MARK: - Version 3

    func loggedInV3(
        _ proof: KeystoneV3.Identity, scope: KeystoneV3.Scope?, by variable: String, _ who: String,
        hiding secrets: [String]
    ) async throws -> SwiftToken {
        let place = RoleEnvironment.Value(text: "", variable: variable)
        let response = try await post(
            KeystoneV3.Request(auth: .init(identity: proof, scope: scope)),
            to: "\(try identityURL(for: place, version: "v3"))/auth/tokens", by: variable)
        guard response.status == 201 || response.status == 200 else {
            throw refusal(of: who, response, at: variable, hiding: secrets)
        }
        guard let token = response.header("x-subject-token"), !token.isEmpty,
            let body = try? JSONDecoder().decode(KeystoneV3.Response.self, from: Data(response.body)).token
        else { throw CredentialSourceFailure(variable, "the identity service's answer is not the JSON expected") }
        let services = (body.catalog ?? []).filter { $0.type == Self.serviceType }
        let entries = services.flatMap { service in
            (service.endpoints ?? []).compactMap { endpoint in
                endpoint.url.map {
                    CatalogueEntry(
                        interface: endpoint.interface, region: endpoint.regionID ?? endpoint.region, url: $0)
                }
            }
        }
        return SwiftToken(
            token: Secret(token), storageURL: try storageURL(entries, variable),
            expiration: body.expiration.flatMap(serviceTime), source: "\(variable) (\(who)\(projectWords))")
    }

    // MARK: - The catalogue

    struct CatalogueEntry {
        let interface: String
        let region: String?
        let url: String
    }

    private static let serviceType = "object-store"

    private func storageURL(_ entries: [CatalogueEntry], _ variable: String) throws(CredentialSourceFailure) -> String {
        if let given = settings.storageURL { return given }
        let projects = identity.name(Variables.projectName)
        guard !entries.isEmpty else {
            throw CredentialSourceFailure(
                variable,
                "the catalogue that the token came with has no object-store"
                    + (projectWords.isEmpty ? "; name the project in \(projects)" : ""))
        }
        let wanted = settings.interface.rawValue
        let fitting = entries.filter { settings.region == nil || $0.region == settings.region }
        guard let entry = fitting.first(where: { $0.interface == wanted || $0.interface == "\(wanted)URL" }) else {
            let there = entries.map { "\($0.interface)\($0.region.map { " in \($0)" } ?? "")" }.joined(separator: ", ")
            throw CredentialSourceFailure(
                settings.origins[SwiftVariables.region.name] ?? variable,
                "the catalogue has no \(wanted) object-store"
                    + "\(settings.region.map { " in region \(shown($0))" } ?? ""); it has \(message(there))")
        }
        guard case .success(let address) = HTTPAddress.parse(entry.url) else {
            throw CredentialSourceFailure(variable, "the catalogue's object-store is no URL: \(shown(entry.url))")
        }
        return address.text
    }

    // MARK: - Requests

    private func post(_ body: some Encodable, to url: String, by variable: String) async throws -> HTTPFetchResponse {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try await send(
            HTTPFetchRequest(
                method: "POST", url: url,
                headers: [("Content-Type", "application/json"), ("Accept", "application/json")],
                body: [UInt8](try encoder.encode(body)), timeout: .seconds(30)), from: variable)
    }

    /// A service that is not there, or fails, may do better later; that is not the credentials' fault.
    private func send(_ request: HTTPFetchRequest, from variable: String) async throws -> HTTPFetchResponse {
        let service = "the identity service at \(settings.identityURL ?? "")"
        let response: HTTPFetchResponse
        do { response = try await http.send(request, from: service) } catch let failure as CredentialSourceFailure {
            throw SwiftIdentityUnavailable(description: "\(failure) (asked for \(variable))")
        }
        guard response.status < 500, response.status != 429 else {
            throw SwiftIdentityUnavailable(
                description: "\(service): answered \(response.status) (asked for \(variable))")
        }
        return response
    }

    /// The service's reason, in its own words.
    private func refusal(
        of who: String, _ response: HTTPFetchResponse, at variable: String, hiding secrets: [String]
    ) -> CredentialSourceFailure {
        let document = try? JSONDecoder().decode(KeystoneError.self, from: Data(response.body))
        let said = document.map { ": \(message($0.error.message, hiding: secrets.map { Secret($0) }))" } ?? ""
        return CredentialSourceFailure(
            variable, "the identity service refuses \(who)\(projectWords) (\(response.status)\(said))")
    }
}
