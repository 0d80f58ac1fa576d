/// What version 2 of the identity service is asked, and answers.
enum KeystoneV2 {
    struct Request: Encodable { let auth: Proof }

    struct Proof: Encodable {
        struct Password: Encodable {
            var username: String?
            var userId: String?
            let password: String
        }
        struct Token: Encodable { let id: String }

        var passwordCredentials: Password?
        var token: Token?
        var tenantName: String?
        var tenantId: String?
    }

    struct Response: Decodable {
        struct Access: Decodable {
            let token: Token
            let serviceCatalog: [Service]?
        }
        struct Token: Decodable {
            let id: String
            let expires: String?
        }
        struct Service: Decodable {
            let type: String
            let endpoints: [Endpoint]?
        }
        struct Endpoint: Decodable {
            let region: String?
            let publicURL: String?
            let internalURL: String?
            let adminURL: String?

            var entries: [SwiftTokenResolver.CatalogueEntry] {
                let urls = [("public", publicURL), ("internal", internalURL), ("admin", adminURL)]
                return urls.compactMap { interface, url in
                    url.map { SwiftTokenResolver.CatalogueEntry(interface: interface, region: region, url: $0) }
                }
            }
        }
        let access: Access
    }
}
