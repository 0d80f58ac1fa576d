import FoundationEssentials

/// Refusals as Swift writes them.
extension ServiceFailure {
    /// - Parameter operation: What was asked: some refusals mean different things for different requests.
    init(swift response: HTTPResponse, to operation: SwiftOperation) {
        let status = response.status
        self.init(status: status, serviceCode: "", message: Self.explanation(response.body))
        take(head: response.headers)
        switch (status, operation.method) {
        // Its own status for too many requests.
        case (498, _): (code, isRetryable) = (.throttled, true)
        // A manifest that was changed on its way: each segment that it names is looked for and compared.
        case (400, "PUT") where operation.query.contains { $0.name == "multipart-manifest" }:
            (code, isRetryable) = (.unavailable, true)
        // The body was changed on its way, or was not complete.
        case (422, _), (499, _): (code, isRetryable) = (.unavailable, true)
        // A large object that lacks a segment.
        case (409, "GET"), (409, "HEAD"): code = .corrupt
        // Another request to the same object was later.
        case (409, _): (code, isRetryable, mayHaveRun) = (.unavailable, true, true)
        case (413, _) where detail.lowercased().contains("quota"): code = .full
        // Nothing but an object is written under a condition.
        case (412, "PUT"): break
        case (412, "GET") where operation.headers.contains { $0.name == "If-Match" }: break
        case (412, _): code = .invalid
        default: break
        }
        if case .container = operation.target, status == 404 { isContainerMissing = true }
        add(requestID: response.headers["x-trans-id"] ?? response.headers["x-openstack-request-id"])
    }

    /// What a body says, which may be a page of HTML, lines of text or, with Ceph, a JSON document.
    private static func explanation(_ body: [UInt8]) -> String {
        if let page = XMLElement.parse(body) { return page["p"] ?? page["Message"] ?? page["Code"] ?? page.text }
        struct Document: Decodable {
            let code: String?
            let message: String?

            enum CodingKeys: String, CodingKey {
                case code = "Code"
                case message = "Message"
            }
        }
        if let document = try? JSONDecoder().decode(Document.self, from: Data(body)) {
            return document.message ?? document.code ?? ""
        }
        let text = String(decoding: body.prefix(200), as: UTF8.self)
        return text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }
}
