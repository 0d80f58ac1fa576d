import Digests
public import StorageURI
import Synchronization

/// Objects in a bucket of Amazon S3, or of any service that speaks its protocol.
public final class S3ObjectStore: ObjectStore {
    public let location: StorageLocation
    let prefix: KeyPrefix
    let client: S3Client
    /// Parts and objects under way, over all calls: memory is this many times the part size, and the part in the making.
    let uploads: AsyncSemaphore

    /// What is known of the service's create-if-absent.
    enum ConditionalWrites {
        /// Not yet tried: calls look first, and the first one tries it out.
        case unknown
        case honoured
        /// The service writes whatever is there, or refuses the condition.
        case missing
    }
    let conditionalWrites: Mutex<ConditionalWrites>
    /// How many objects were written with a look before, and were too large to try the condition out at once.
    let looksBefore = Atomic(0)
    /// Whether the service has shown that it compares a checksum with what arrives.
    let comparesChecksums = Atomic<Bool>(false)
    /// Whether the bucket is known to lock objects, where they are to be locked.
    let isLocking: Mutex<Bool>

    init(
        location: StorageLocation, options: S3Options, credentials: any AWSCredentialProvider, transport: HTTPTransport
    ) {
        self.location = location
        prefix = KeyPrefix(location)
        client = S3Client(options: options, provider: credentials, transport: transport)
        uploads = AsyncSemaphore(count: options.uploadConcurrency)
        conditionalWrites = Mutex(options.endpoint.isAmazon ? .honoured : .unknown)
        isLocking = Mutex(options.endpoint.isAmazon)
    }

    /// True until a service has shown that it does not know create-if-absent.
    ///
    /// What a service that knows it makes of writers at the same moment is its own affair. Amazon lets one win. Others
    /// look before an object arrives, or before its parts are joined, and not again: OpenStack Swift always, SeaweedFS
    /// and Ceph for objects in parts. There, writers that look at the same moment may all win, the last one's staying.
    public var createsAtomically: Bool { conditionalWrites.withLock { $0 != .missing } }

    public var clockOffset: Duration? { client.transport.clockOffset }

    /// Runs `work` and puts its failure into words: what was done, on what, and with whose credentials.
    func naming<Value>(
        _ action: String, _ key: ObjectKey?, _ work: () async throws(ServiceFailure) -> Value
    ) async throws(ObjectStoreError) -> Value {
        do throws(ServiceFailure) { return try await work() } catch {
            throw describe(error, action, key)
        }
    }

    func describe(_ failure: ServiceFailure, _ action: String, _ key: ObjectKey?) -> ObjectStoreError {
        failure.error(action, key, at: location, credentials: client.credentialSource)
    }

    // MARK: - Headers

    /// What every request to an object that we encrypt ourselves needs.
    var customerKeyHeaders: [(name: String, value: String)] {
        guard case .customer(let key, let md5) = client.options.encryption else { return [] }
        return [
            ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
            ("x-amz-server-side-encryption-customer-key", key.base64),
            ("x-amz-server-side-encryption-customer-key-MD5", md5.base64),
        ]
    }

    /// What a new object is made with.
    var creationHeaders: [(name: String, value: String)] {
        var headers = customerKeyHeaders
        if case .service(let algorithm, let keyID) = client.options.encryption {
            headers.append(("x-amz-server-side-encryption", algorithm))
            if let keyID { headers.append(("x-amz-server-side-encryption-aws-kms-key-id", keyID)) }
        }
        if let storageClass = client.options.storageClass { headers.append(("x-amz-storage-class", storageClass)) }
        return headers + lockHeaders
    }
}
