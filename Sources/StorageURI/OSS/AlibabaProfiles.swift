import FoundationEssentials

/// One profile of the vendor's files, whichever of the two it stands in: how its keys are got, and from what.
struct AlibabaProfile: Sendable {
    enum Kind: Sendable, Equatable {
        case keys, role, roleOfProfile, instance, oidc
        /// A way that is not supported, by the name the file gives it.
        case other(String)
    }

    /// `profile backup of /home/…/config.json`, for messages.
    let place: String
    let kind: Kind
    private let settings: [String: String]

    /// - Parameter settings: By the names of the library's file; those of the command line tool are translated.
    init(place: String, kind: Kind, settings: [String: String]) {
        self.place = place
        self.kind = kind
        self.settings = settings
    }

    subscript(_ setting: String) -> String? { settings[setting].flatMap { $0.isEmpty ? nil : $0 } }
}

/// The file of the vendor's command line tool, `~/.aliyun/config.json`.
struct AlibabaCommandLineFile: Decodable {
    struct Profile: Decodable {
        let name, mode: String?
        let accessKeyID, accessKeySecret, token, roleARN, sessionName, oidcSessionName, externalID: String?
        let policy, sourceProfile, stsRegion, instanceRole, oidcProvider, oidcTokenFile: String?
        let seconds: Int?
        let isInVPC: Bool?

        private enum CodingKeys: String, CodingKey {
            case name, mode, policy
            case accessKeyID = "access_key_id"
            case accessKeySecret = "access_key_secret"
            case token = "sts_token"
            case roleARN = "ram_role_arn"
            case sessionName = "ram_session_name"
            case oidcSessionName = "role_session_name"
            case externalID = "external_id"
            case sourceProfile = "source_profile"
            case stsRegion = "sts_region"
            case instanceRole = "ram_role_name"
            case oidcProvider = "oidc_provider_arn"
            case oidcTokenFile = "oidc_token_file"
            case seconds = "expired_seconds"
            case isInVPC = "enable_vpc"
        }
    }

    let current: String?
    let profiles: [Profile]?

    /// The profile of that name, translated; nil when there is none.
    func profile(_ name: String, in file: String) -> AlibabaProfile? {
        guard let found = profiles?.first(where: { $0.name == name }) else { return nil }
        let kind: AlibabaProfile.Kind =
            switch found.mode {
            case "AK", "StsToken": .keys
            case "RamRoleArn": .role
            case "ChainableRamRoleArn": .roleOfProfile
            case "EcsRamRole": .instance
            case "OIDC": .oidc
            case let mode: .other(mode ?? "")
            }
        var settings: [String: String] = [:]
        settings["access_key_id"] = found.accessKeyID
        settings["access_key_secret"] = found.accessKeySecret
        settings["security_token"] = found.mode == "StsToken" ? found.token : nil
        settings["role_arn"] = found.roleARN
        settings["role_session_name"] = kind == .oidc ? found.oidcSessionName : found.sessionName
        settings["external_id"] = found.externalID
        settings["policy"] = found.policy
        settings["source_profile"] = found.sourceProfile
        settings["sts_region"] = found.stsRegion
        settings["role_name"] = found.instanceRole
        settings["oidc_provider_arn"] = found.oidcProvider
        settings["oidc_token_file_path"] = found.oidcTokenFile
        settings["duration_seconds"] = found.seconds.map(String.init)
        settings["enable_vpc"] = found.isInVPC.map { "\($0)" }
        return AlibabaProfile(place: "profile \(name) of \(file)", kind: kind, settings: settings)
    }
}

/// The file of the vendor's libraries, `~/.alibabacloud/credentials.ini`.
enum AlibabaLibraryFile {
    static func profile(_ name: String, in file: String, _ text: String) -> AlibabaProfile? {
        guard let settings = INIText.sections(text).last(where: { $0.name == name })?.settings else { return nil }
        let kind: AlibabaProfile.Kind =
            switch settings["type"] {
            case "access_key": .keys
            case "ram_role_arn": .role
            case "ecs_ram_role": .instance
            case "oidc_role_arn": .oidc
            case let type: .other(type ?? "")
            }
        return AlibabaProfile(place: "profile \(name) of \(file)", kind: kind, settings: settings)
    }
}
