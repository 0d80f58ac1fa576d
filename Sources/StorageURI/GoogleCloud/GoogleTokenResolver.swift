import FoundationEssentials

/// Asks the sources of Application Default Credentials, in their order, until one has some.
struct GoogleTokenResolver: Sendable {
    let identity: GoogleIdentity
    let settings: GoogleCloudSettings
    let exchange: GoogleTokenExchange

    func resolve() async throws -> GoogleToken {
        if settings.isEmulator, identity.applicationCredentials == nil {
            return GoogleToken(accessToken: nil, source: "nowhere: an emulator is asked without credentials")
        }
        if let refusal = identity.credentials.refusal { throw CredentialError(refusal: refusal) }
        if !settings.isEncrypted, !settings.isLoopback {
            throw CredentialError(
                refusal: "no token is sent to \(settings.endpoint), where it could be read on its way: use https")
        }
        return try await CredentialSource.first(
            of: [
                CredentialSource(
                    identity.credentials.name(GoogleCloudVariables.applicationCredentials), applicationCredentials),
                CredentialSource("gcloud's application default credentials", wellKnownFile),
                CredentialSource("instance metadata", instanceMetadata),
            ], advice: identity.advice)
    }

    private func applicationCredentials() async throws -> CredentialOutcome<GoogleToken> {
        guard let file = identity.applicationCredentials else { return .absent("not set") }
        return .found(try await token(ofFile: file.path, named: file.variable))
    }

    private func wellKnownFile() async throws -> CredentialOutcome<GoogleToken> {
        guard let path = identity.wellKnownFile else { return .absent("not for this role") }
        do throws(TextFile.Failure) { _ = try TextFile.read(path) } catch {
            if error == .missing { return .absent("no file \(shown(path))") }
        }
        return .found(try await token(ofFile: path, named: "application default credentials in \(path)"))
    }

    private func token(ofFile path: String, named name: String) async throws -> GoogleToken {
        let text = try CredentialFile.text(path, named: name)
        let file = try GoogleCredentialFile.parse(text, named: name)
        return try await exchange.token(of: file, named: name, scope: GoogleTokenExchange.storageScope)
    }

    private func instanceMetadata() async throws -> CredentialOutcome<GoogleToken> {
        guard let place = identity.metadata else { return .absent("not for this role") }
        if place.variable == nil, let disabled = identity.environment.value(GoogleCloudVariables.metadataDisabled),
            SettingsReader.boolean(disabled.text) == true
        {
            return .absent("turned off by \(disabled.variable)")
        }
        let address: HTTPAddress
        switch HTTPAddress.parse("http://\(place.authority)") {
        case .success(let parsed): address = parsed
        case .failure(let fault):
            throw CredentialSourceFailure(place.variable ?? "instance metadata", fault.problem)
        }
        return try await exchange.instanceToken(address, isNamed: place.variable != nil)
    }
}
