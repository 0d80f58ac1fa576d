public import StorageURI

/// Objects in a container of OpenStack Swift, or of a service that speaks its protocol.
///
/// Large objects are static large objects: their segments lie in the container `NAME_segments`, where Swift's own tools
/// put them, so that a listing shows objects alone.
public final class SwiftObjectStore: ObjectStore {
    public let location: StorageLocation
    let prefix: KeyPrefix
    let client: SwiftClient
    /// Segments and objects under way, over all calls: memory is this many times their size, and that in the making.
    let uploads: AsyncSemaphore
    let segments: SwiftSegmentContainer

    init(
        location: StorageLocation, options: SwiftOptions, tokens: any SwiftTokenProvider, transport: HTTPTransport
    ) {
        self.location = location
        prefix = KeyPrefix(location)
        client = SwiftClient(
            container: location.container, options: options, tokens: tokens, transport: transport)
        uploads = AsyncSemaphore(count: options.uploadConcurrency)
        segments = SwiftSegmentContainer(client: client)
    }

    /// Swift looks for an object when a request to create it arrives, and not again when it has: of writers at the same
    /// moment all may be let through, the last one's object staying. Nothing that it offers decides between them.
    public var createsAtomically: Bool { false }

    /// Runs `work` and puts its failure into words: what was done, on what, and with whose credentials.
    func naming<Value>(
        _ action: String, _ key: ObjectKey?, _ work: () async throws(ServiceFailure) -> Value
    ) async throws(ObjectStoreError) -> Value {
        do throws(ServiceFailure) { return try await work() } catch {
            throw error.error(action, key, at: location, credentials: client.credentialSource)
        }
    }

    /// A tag without the quotation marks that some have.
    static func bareTag(_ tag: String) -> String {
        tag.count >= 2 && tag.hasPrefix("\"") && tag.hasSuffix("\"") ? String(tag.dropFirst().dropLast()) : tag
    }
}
