import FoundationEssentials
import StorageURI

/// One request to the service, before it is signed.
struct S3Operation: Sendable {
    var method: String
    /// The object's whole key; nil for the bucket itself.
    var key: String?
    var query: [(name: String, value: String)] = []
    var headers: [(name: String, value: String)] = []
    var payload: S3Payload = .empty
    var responseLimit = 16 << 20
    /// False where sending it twice is not the same as once.
    var isRepeatable = true
    /// For an answer that is long in coming, as that of joining many parts.
    var mayStall = false
}

/// An answer with a status of success.
struct S3Answer: Sendable {
    let response: HTTPResponse
    /// True when an earlier try may have been carried out as well.
    let mayHaveRunBefore: Bool
}

/// What a store needs to know, once settings are resolved.
struct S3Options: Sendable {
    enum Encryption: Sendable {
        /// `AES256`, or `aws:kms` with the id of a key.
        case service(algorithm: String, keyID: String?)
        /// A key of our own, 32 bytes.
        case customer(key: [UInt8], md5: [UInt8])
    }

    var endpoint: S3Endpoint
    /// Nil: asked of the service, where that matters.
    var region: String?
    var partSizeBytes = 16 << 20
    var uploadConcurrency = 4
    var deleteBatchSize = 1000
    var usesListObjectsV1 = false
    var storageClass: String?
    var encryption: Encryption?
    var retention: S3Settings.Retention?
    var nodeSource: S3Settings.NodeSource?
    var additionalHeaders: [(name: String, value: String)] = []
    var retries = RetryPolicy()
    var requestTimeout: Duration = .seconds(600)
    var signsPayload = true
    /// This machine's clock.
    var now: @Sendable () -> Date = { Date() }
}
