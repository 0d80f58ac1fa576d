import FoundationEssentials

/// Keys as container and instance metadata services write them.
struct CredentialDocument: Decodable {
    let code, message: String?
    let accessKeyID, secretAccessKey, token, expiration: String?

    private enum CodingKeys: String, CodingKey {
        case code = "Code"
        case message = "Message"
        case accessKeyID = "AccessKeyId"
        case secretAccessKey = "SecretAccessKey"
        case token = "Token"
        case expiration = "Expiration"
    }

    /// The keys of an answer to `source`.
    static func credentials(_ response: HTTPFetchResponse, source: String) throws -> AWSCredentials {
        let document = try? JSONDecoder().decode(CredentialDocument.self, from: Data(response.body))
        guard response.status == 200, let document, document.code ?? "Success" == "Success" else {
            // The body of a refusal is the service's explanation; that of a success may hold keys, and is not shown.
            let code = document?.code.map { " \(StorageURI.message($0))" } ?? ""
            let text = document?.message.map { ": \(StorageURI.message($0))" } ?? ""
            let isUnreadable = response.status == 200 && document == nil
            throw CredentialSourceFailure(
                source,
                isUnreadable ? "the answer is not the JSON expected" : "answered \(response.status)\(code)\(text)")
        }
        guard let id = document.accessKeyID, let secret = document.secretAccessKey, !id.isEmpty, !secret.isEmpty else {
            throw CredentialSourceFailure(source, "the answer holds no AccessKeyId and SecretAccessKey")
        }
        let expiration = document.expiration.flatMap(serviceTime)
        guard document.expiration == nil || expiration != nil else {
            throw CredentialSourceFailure(source, "the answer's Expiration is not a time")
        }
        return AWSCredentials(
            accessKeyID: id, secretAccessKey: Secret(secret),
            sessionToken: document.token.flatMap { $0.isEmpty ? nil : Secret($0) }, expiration: expiration,
            source: source)
    }
}
