import FoundationEssentials

/// A file of credentials, as Google's tools write them. Which fields it has depends on its type.
///
/// A class, as one of them may hold another.
final class GoogleCredentialFile: Decodable, Sendable {
    /// Where the token of another identity provider is found.
    struct SubjectSource: Decodable, Sendable {
        struct Format: Decodable, Sendable {
            let type: String?
            let tokenField: String?

            private enum CodingKeys: String, CodingKey {
                case type
                case tokenField = "subject_token_field_name"
            }
        }
        struct Unread: Decodable, Sendable {}

        let file: String?
        let url: String?
        let headers: [String: String]?
        let format: Format?
        let environmentID: String?
        let executable: Unread?
        let certificate: Unread?

        private enum CodingKeys: String, CodingKey {
            case file, url, headers, format, executable, certificate
            case environmentID = "environment_id"
        }
    }
    struct Impersonation: Decodable, Sendable {
        let lifetimeSeconds: Int?

        private enum CodingKeys: String, CodingKey { case lifetimeSeconds = "token_lifetime_seconds" }
    }

    let type: String?
    let quotaProject: String?
    let universe: String?
    // service_account
    let clientEmail: String?
    let privateKey: String?
    let privateKeyID: String?
    let tokenURI: String?
    // authorized_user
    let clientID: String?
    let clientSecret: String?
    let refreshToken: String?
    // external_account
    let audience: String?
    let subjectTokenType: String?
    let tokenURL: String?
    let subjectSource: SubjectSource?
    let workforceProject: String?
    let impersonation: Impersonation?
    // external_account and impersonated_service_account
    let impersonationURL: String?
    let delegates: [String]?
    let base: GoogleCredentialFile?

    private enum CodingKeys: String, CodingKey {
        case type, audience, delegates
        case quotaProject = "quota_project_id"
        case universe = "universe_domain"
        case clientEmail = "client_email"
        case privateKey = "private_key"
        case privateKeyID = "private_key_id"
        case tokenURI = "token_uri"
        case clientID = "client_id"
        case clientSecret = "client_secret"
        case refreshToken = "refresh_token"
        case subjectTokenType = "subject_token_type"
        case tokenURL = "token_url"
        case subjectSource = "credential_source"
        case workforceProject = "workforce_pool_user_project"
        case impersonation = "service_account_impersonation"
        case impersonationURL = "service_account_impersonation_url"
        case base = "source_credentials"
    }

    /// - Parameter name: What led to the file, for messages.
    static func parse(_ text: String, named name: String) throws(CredentialSourceFailure) -> GoogleCredentialFile {
        let file: GoogleCredentialFile
        do { file = try JSONDecoder().decode(GoogleCredentialFile.self, from: Data(text.utf8)) } catch {
            // The error itself may quote the file.
            throw CredentialSourceFailure(name, "the file is not one of Google's credentials: JSON with a type")
        }
        if let universe = file.universe, universe != "googleapis.com" {
            throw CredentialSourceFailure(
                name, "the credentials are for the cloud \(shown(universe)); only googleapis.com is supported")
        }
        return file
    }
}
