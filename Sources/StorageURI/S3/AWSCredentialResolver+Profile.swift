/// Keys that the shared files give, or lead to.
extension AWSCredentialResolver {
    func profile() async throws -> CredentialOutcome<AWSCredentials> {
        guard let profiles = try AWSProfiles(identity) else { return .absent("none is named for this role") }
        let files = profiles.files.joined(separator: " or ")
        guard profiles.profile != nil else {
            guard let variable = profiles.variable else {
                return .absent(files.isEmpty ? "no home directory" : "no profile default in \(files)")
            }
            throw CredentialSourceFailure(variable, "there is no profile \(shown(profiles.selected)) in \(files)")
        }
        return try await profile(profiles.selected, in: profiles, path: [])
    }

    /// - Parameter path: The profiles that led to this one.
    private func profile(
        _ name: String, in profiles: AWSProfiles, path: [String]
    ) async throws -> CredentialOutcome<AWSCredentials> {
        let source = "profile \(name)"
        guard let profile = profiles.profiles[name] else {
            throw CredentialSourceFailure(
                "profile \(path.last ?? "")", "its source_profile \(shown(name)) does not exist")
        }
        let isOwnSource = path.last == name
        if let arn = profile["role_arn"], !isOwnSource {
            guard !path.contains(name) else {
                throw CredentialSourceFailure(source, "source_profile goes round in a circle: \(path + [name])")
            }
            return .found(try await role(arn, of: profile, in: profiles, path: path + [name]))
        }
        if let id = profile["aws_access_key_id"] {
            guard let secret = profile["aws_secret_access_key"] else {
                throw CredentialSourceFailure(source, "has aws_access_key_id, but no aws_secret_access_key")
            }
            return .found(
                AWSCredentials(
                    accessKeyID: id, secretAccessKey: Secret(secret),
                    sessionToken: profile["aws_session_token"].map { Secret($0) },
                    source: "\(source) of \(profile.files.last ?? "")"))
        }
        if let command = profile["credential_process"] {
            return .found(try await processCredentials(command, of: profile))
        }
        for unsupported in ["sso_session", "sso_start_url", "login_session"] {
            guard profile[unsupported] != nil else { continue }
            throw CredentialSourceFailure(source, "gets its keys by \(unsupported), which is not supported")
        }
        guard path.isEmpty else {
            throw CredentialSourceFailure(source, "holds no keys, and is the source_profile of another")
        }
        return .absent("profile \(name) holds no keys")
    }

    private func role(
        _ arn: String, of profile: AWSProfile, in profiles: AWSProfiles, path: [String]
    ) async throws -> AWSCredentials {
        let source = "profile \(profile.name)"
        guard profile["mfa_serial"] == nil else {
            throw CredentialSourceFailure(source, "asks for a second factor (mfa_serial), which is not supported")
        }
        let duration = profile["duration_seconds"]
        guard duration.map({ Int($0).map { $0 > 0 } ?? false }) ?? true else {
            throw CredentialSourceFailure(source, "its duration_seconds is no number of seconds")
        }
        let role = STSClient.Role(
            arn: arn, sessionName: profile["role_session_name"] ?? sessionName(identity.scope),
            externalID: profile["external_id"], durationSeconds: duration)
        if let file = profile["web_identity_token_file"] {
            return try await webIdentity(
                role, file: file, named: "web_identity_token_file of \(source)", region: profile["region"])
        }
        let base: CredentialOutcome<AWSCredentials>
        switch (profile["source_profile"], profile["credential_source"]) {
        case (let name?, nil): base = try await self.profile(name, in: profiles, path: path)
        case (nil, "Environment"): base = try environmentKeys()
        case (nil, "EcsContainer"): base = try await containerCredentials()
        case (nil, "Ec2InstanceMetadata"): base = try await instanceMetadata(isNamed: true)
        case (nil, let name?):
            throw CredentialSourceFailure(source, "its credential_source \(shown(name)) is not known")
        case (nil, nil):
            throw CredentialSourceFailure(source, "has role_arn, but neither source_profile nor credential_source")
        case (_?, _?): throw CredentialSourceFailure(source, "has both source_profile and credential_source")
        }
        switch base {
        case .absent(let why): throw CredentialSourceFailure(source, "its credential_source has no keys: \(why)")
        case .found(let credentials):
            return try await sts(endpointScope: identity.scope, region: profile["region"])
                .assume(role, with: credentials)
        }
    }
}
