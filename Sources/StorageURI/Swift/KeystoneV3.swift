/// What version 3 of the identity service is asked, and answers.
enum KeystoneV3 {
    struct Request: Encodable {
        struct Auth: Encodable {
            let identity: Identity
            let scope: Scope?
        }
        let auth: Auth
    }

    /// Something that has an id of its own, or a name within a domain.
    struct Reference: Encodable {
        var id: String?
        var name: String?
        var domain: Domain?
        fileprivate var password: String?

        init(id: String? = nil, name: String? = nil, domain: Domain? = nil) {
            self.id = id
            self.name = name
            self.domain = domain
        }
    }

    struct Domain: Encodable {
        var id: String?
        var name: String?
    }

    struct Scope: Encodable {
        var project: Reference?
        var trust: Reference?

        enum CodingKeys: String, CodingKey {
            case project
            case trust = "OS-TRUST:trust"
        }
    }

    struct Identity: Encodable {
        private struct Password: Encodable { let user: Reference }
        private struct Token: Encodable { let id: String }
        private struct ApplicationCredential: Encodable {
            var id: String?
            var name: String?
            var user: Reference?
            let secret: String
        }

        private let methods: [String]
        private var password: Password?
        private var token: Token?
        private var applicationCredential: ApplicationCredential?

        private enum CodingKeys: String, CodingKey {
            case methods, password, token
            case applicationCredential = "application_credential"
        }

        private init(_ method: String) { methods = [method] }

        static func password(_ user: Reference, _ password: Secret) -> Identity {
            var identity = Identity("password")
            var user = user
            user.password = password.reveal()
            identity.password = Password(user: user)
            return identity
        }

        static func token(_ token: Secret) -> Identity {
            var identity = Identity("token")
            identity.token = Token(id: token.reveal())
            return identity
        }

        static func applicationCredential(id: String, secret: Secret) -> Identity {
            var identity = Identity("application_credential")
            identity.applicationCredential = ApplicationCredential(id: id, secret: secret.reveal())
            return identity
        }

        static func applicationCredential(name: String, of user: Reference, secret: Secret) -> Identity {
            var identity = Identity("application_credential")
            identity.applicationCredential = ApplicationCredential(name: name, user: user, secret: secret.reveal())
            return identity
        }
    }

    struct Response: Decodable {
        struct Token: Decodable {
            let expiration: String?
            let catalog: [Service]?

            enum CodingKeys: String, CodingKey {
                case expiration = "expires_at"
                case catalog
            }
        }
        struct Service: Decodable {
            let type: String
            let endpoints: [Endpoint]?
        }
        struct Endpoint: Decodable {
            let interface: String
            let region: String?
            let regionID: String?
            let url: String?

            enum CodingKeys: String, CodingKey {
                case interface, region, url
                case regionID = "region_id"
            }
        }
        let token: Token
    }
}

/// A refusal, in versions 2 and 3.
struct KeystoneError: Decodable {
    struct Details: Decodable { let message: String }
    let error: Details
}

/// The versions that an identity service offers.
struct KeystoneVersions: Decodable {
    private struct Version: Decodable { let id: String }
    private struct List: Decodable { let values: [Version] }
    private let versions: List

    var ids: [String] { versions.values.map(\.id) }
}
