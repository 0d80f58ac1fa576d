public import StorageURI

/// Objects as block blobs in a container of Azure Blob Storage.
public final class AzureObjectStore: ObjectStore {
    public let location: StorageLocation
    let prefix: KeyPrefix
    let client: AzureClient
    /// Blocks and objects under way, over all calls: memory is this many times the block size, and the block in the
    /// making.
    let uploads: AsyncSemaphore
    let listingPlaces = AzureListingPlaces()

    init(
        location: StorageLocation, options: AzureOptions, credentials: any AzureCredentialProvider,
        transport: HTTPTransport
    ) {
        self.location = location
        prefix = KeyPrefix(location)
        client = AzureClient(options: options, provider: credentials, transport: transport)
        uploads = AsyncSemaphore(count: options.uploadConcurrency)
    }

    public var createsAtomically: Bool { true }

    public var clockOffset: Duration? { client.transport.clockOffset }

    /// Runs `work` and puts its failure into words: what was done, on what, and with whose credentials.
    func naming<Value>(
        _ action: String, _ key: ObjectKey?, _ work: () async throws(ServiceFailure) -> Value
    ) async throws(ObjectStoreError) -> Value {
        do throws(ServiceFailure) { return try await work() } catch {
            throw error.error(action, key, at: location, credentials: client.credentialSource)
        }
    }

    /// A tag without the quotation marks around it.
    static func bareTag(_ tag: String) -> String {
        tag.count >= 2 && tag.hasPrefix("\"") && tag.hasSuffix("\"") ? String(tag.dropFirst().dropLast()) : tag
    }
}
