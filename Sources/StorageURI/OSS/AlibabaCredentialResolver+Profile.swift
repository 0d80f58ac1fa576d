import FoundationEssentials

/// Keys that the vendor's files give, or lead to.
extension AlibabaCredentialResolver {
    func profile() async throws -> CredentialOutcome<AlibabaCredentials> {
        let named = identity.value(Variables.profile)
        var files: [String] = []
        if let file = identity.commandLineFile {
            files.append(file)
            if let text = try text(of: file) {
                guard let parsed = try? JSONDecoder().decode(AlibabaCommandLineFile.self, from: Data(text.utf8)) else {
                    throw CredentialSourceFailure(file, "is not the JSON expected")
                }
                if let name = named?.text ?? parsed.current, let profile = parsed.profile(name, in: file) {
                    return .found(try await keys(of: profile, in: parsed, file, path: [name]))
                }
            }
        }
        if let file = identity.libraryFile {
            files.append(file)
            let name = named?.text ?? "default"
            if let text = try text(of: file), let profile = AlibabaLibraryFile.profile(name, in: file, text) {
                return .found(try await keys(of: profile, in: nil, file, path: [name]))
            }
        }
        let places = files.joined(separator: " or ")
        guard let named else {
            return .absent(files.isEmpty ? "none is named for this role" : "no profile in \(places)")
        }
        throw CredentialSourceFailure(
            named.variable,
            files.isEmpty
                ? "no home directory to look for it" : "there is no profile \(shown(named.text)) in \(places)")
    }

    /// A file's text; nil when there is no such file.
    private func text(of file: String) throws -> String? {
        do throws(TextFile.Failure) { return try TextFile.read(file) } catch {
            guard case .unreadable(let why) = error else {
                // One that a variable names must be there.
                guard let variable = identity.environment.value(Variables.credentialsFile),
                    identity.credentials.expandingHome(variable.text) == file
                else { return nil }
                throw CredentialSourceFailure(variable.variable, "no such file: \(shown(file))")
            }
            throw CredentialSourceFailure(file, why)
        }
    }

    /// - Parameter path: The profiles that led to this one, and itself.
    private func keys(
        of profile: AlibabaProfile, in parsed: AlibabaCommandLineFile?, _ file: String, path: [String]
    ) async throws -> AlibabaCredentials {
        let place = profile.place
        func required(_ setting: String) throws -> String {
            guard let value = profile[setting] else { throw CredentialSourceFailure(place, "has no \(setting)") }
            return value
        }
        func ownKeys() throws -> AlibabaCredentials {
            AlibabaCredentials(
                accessKeyID: try required("access_key_id"), accessKeySecret: Secret(try required("access_key_secret")),
                securityToken: profile["security_token"].map { Secret($0) }, source: place)
        }
        func role() throws -> AlibabaSTSClient.Role {
            AlibabaSTSClient.Role(
                arn: try required("role_arn"), sessionName: profile["role_session_name"] ?? "zenith",
                externalID: profile["external_id"], policy: profile["policy"],
                durationSeconds: profile["duration_seconds"].flatMap { Int($0) } ?? 3600)
        }
        let sts = sts(region: profile["sts_region"], isInVPC: profile["enable_vpc"].map { $0 == "true" })
        switch profile.kind {
        case .keys: return try ownKeys()
        case .role: return try await sts.assume(role(), with: ownKeys())
        case .roleOfProfile:
            let name = try required("source_profile")
            guard !path.contains(name) else {
                throw CredentialSourceFailure(place, "source_profile goes round in a circle: \(path + [name])")
            }
            guard let source = parsed?.profile(name, in: file) else {
                throw CredentialSourceFailure(place, "its source_profile \(shown(name)) does not exist")
            }
            let base = try await keys(of: source, in: parsed, file, path: path + [name])
            return try await sts.assume(role(), with: base)
        case .instance:
            switch try await instanceMetadata(role: profile["role_name"], isNamed: true) {
            case .found(let credentials): return credentials
            case .absent(let why): throw CredentialSourceFailure(place, "the instance gives no keys: \(why)")
            }
        case .oidc:
            return try await oidc(
                role(), provider: required("oidc_provider_arn"), file: required("oidc_token_file_path"),
                named: "oidc_token_file_path of \(place)", sts: sts)
        case .other(let kind):
            throw CredentialSourceFailure(place, "gets its keys by \(shown(kind)), which is not supported")
        }
    }
}
