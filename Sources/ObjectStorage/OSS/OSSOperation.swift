import Digests
import StorageURI

/// One request to the service, before it is signed.
struct OSSOperation: Sendable {
    var method: String
    /// The object's whole key; nil for the bucket itself.
    var key: String?
    var query: [(name: String, value: String)] = []
    var headers: [(name: String, value: String)] = []
    var body = HTTPBody.none
    var responseLimit = 16 << 20
    /// False where sending it twice is not the same as once.
    var isRepeatable = true
    /// For an answer that is long in coming, as that of joining many parts.
    var mayStall = false

    /// Gives it a body, with the digest that the service compares with what arrives.
    mutating func send(_ body: HTTPBody) async throws(ServiceFailure) {
        self.body = body
        let digests = try await BodyDigests.compute(body, md5: true)
        if let md5 = digests.md5 { headers.append(("Content-MD5", md5.base64)) }
    }
}

/// An answer with a status of success.
struct OSSAnswer: Sendable {
    let response: HTTPResponse
    /// True when an earlier try may have been carried out as well.
    let mayHaveRunBefore: Bool
}

/// What a store needs to know, once settings are resolved.
struct OSSOptions: Sendable {
    var endpoint: OSSEndpoint
    var bucket: String
    /// Nil: requests are signed by version 1, which needs none.
    var region: String?
    var partSizeBytes = 20 << 20
    var uploadConcurrency = 4
    var storageClass: String?
    var retries = RetryPolicy()
    var requestTimeout: Duration = .seconds(600)
}
