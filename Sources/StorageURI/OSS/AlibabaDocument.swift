import FoundationEssentials

/// Keys as metadata services, credential services and STS write them, or why there are none.
struct AlibabaDocument: Decodable {
    struct Keys: Decodable {
        let accessKeyID, accessKeySecret, securityToken, expiration: String?

        private enum CodingKeys: String, CodingKey {
            case accessKeyID = "AccessKeyId"
            case accessKeySecret = "AccessKeySecret"
            case securityToken = "SecurityToken"
            case expiration = "Expiration"
        }
    }

    let code, message, requestID: String?
    let keys: Keys

    private enum CodingKeys: String, CodingKey {
        case code = "Code"
        case message = "Message"
        case requestID = "RequestId"
        case credentials = "Credentials"
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        code = try container.decodeIfPresent(String.self, forKey: .code)
        message = try container.decodeIfPresent(String.self, forKey: .message)
        requestID = try container.decodeIfPresent(String.self, forKey: .requestID)
        // STS has them one level down.
        keys = try container.decodeIfPresent(Keys.self, forKey: .credentials) ?? Keys(from: decoder)
    }

    /// The keys of an answer to `source`.
    ///
    /// - Parameters:
    ///   - secrets: What was sent, which an explanation may repeat.
    ///   - host: Who answered, where the source does not say it.
    static func credentials(
        _ response: HTTPFetchResponse, source: String, hiding secrets: [Secret] = [], host: String? = nil
    ) throws -> AlibabaCredentials {
        let document = try? JSONDecoder().decode(AlibabaDocument.self, from: Data(response.body))
        let prefix = host.map { "\($0) " } ?? ""
        guard response.status == 200, let document, document.code ?? "Success" == "Success" else {
            // The body of a refusal is the service's explanation; that of a success may hold keys, and is not shown.
            if response.status == 200, document == nil {
                throw CredentialSourceFailure(source, "the answer is not the JSON expected")
            }
            let parts = [document?.code, document?.message].compactMap(\.self).filter { !$0.isEmpty }
            let explanation = parts.isEmpty ? "" : " \(parts.joined(separator: ": "))"
            let id = document?.requestID.map { ", request \($0)" } ?? ""
            throw CredentialSourceFailure(
                source, StorageURI.message("\(prefix)answered \(response.status)\(explanation)\(id)", hiding: secrets))
        }
        let keys = document.keys
        guard let id = keys.accessKeyID, let secret = keys.accessKeySecret, !id.isEmpty, !secret.isEmpty else {
            throw CredentialSourceFailure(source, "the answer holds no AccessKeyId and AccessKeySecret")
        }
        let expiration = keys.expiration.flatMap(serviceTime)
        guard keys.expiration == nil || expiration != nil else {
            throw CredentialSourceFailure(source, "the answer's Expiration is not a time")
        }
        return AlibabaCredentials(
            accessKeyID: id, accessKeySecret: Secret(secret),
            securityToken: keys.securityToken.flatMap { $0.isEmpty ? nil : Secret($0) }, expiration: expiration,
            source: source)
    }
}
