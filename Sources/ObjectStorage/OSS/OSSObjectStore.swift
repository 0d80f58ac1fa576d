import StorageURI
import Synchronization

/// Objects in a bucket of Alibaba Cloud OSS.
final class OSSObjectStore: ObjectStore {
    let location: StorageLocation
    let prefix: KeyPrefix
    let client: OSSClient
    /// Parts and objects under way, over all calls: memory is this many times the part size, and the part in the making.
    let uploads: AsyncSemaphore

    /// What is known of create-if-absent in this bucket.
    enum ConditionalWrites {
        /// Not yet tried: calls look first, and the first one finds out.
        case unknown
        case honoured
        /// The bucket keeps versions, where the service takes no notice of the condition; or the service never does.
        case missing
    }
    let conditionalWrites = Mutex(ConditionalWrites.unknown)

    init(
        location: StorageLocation, options: OSSOptions, credentials: any AlibabaCredentialProvider,
        transport: HTTPTransport
    ) {
        self.location = location
        prefix = KeyPrefix(location)
        client = OSSClient(options: options, provider: credentials, transport: transport)
        uploads = AsyncSemaphore(count: options.uploadConcurrency)
    }

    /// True until the bucket has shown that it keeps versions, or the service that it does not know create-if-absent.
    var createsAtomically: Bool { conditionalWrites.withLock { $0 != .missing } }

    var clockOffset: Duration? { client.transport.clockOffset }

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

    /// What a new object is made with.
    var creationHeaders: [(name: String, value: String)] {
        client.options.storageClass.map { [("x-oss-storage-class", $0)] } ?? []
    }

    /// A tag without the quotation marks around it.
    static func bareTag(_ tag: String) -> String {
        tag.count >= 2 && tag.hasPrefix("\"") && tag.hasSuffix("\"") ? String(tag.dropFirst().dropLast()) : tag
    }
}
