public import StorageURI
import Synchronization

/// Objects in a bucket of Google Cloud Storage.
public final class GoogleCloudObjectStore: ObjectStore {
    public let location: StorageLocation
    let prefix: KeyPrefix
    let client: GoogleCloudClient
    /// Chunks and objects under way, over all calls: memory is this many times the chunk size, and what is read ahead.
    let uploads: AsyncSemaphore

    /// What is known of the service's create-if-absent. Google's own is always honoured; emulators have to show it.
    enum ConditionalWrites {
        case unknown
        case honoured
        case missing
    }
    let conditionalWrites: Mutex<ConditionalWrites>

    init(
        location: StorageLocation, options: GoogleCloudOptions, tokens: any GoogleTokenProvider,
        transport: HTTPTransport
    ) {
        self.location = location
        prefix = KeyPrefix(location)
        client = GoogleCloudClient(options: options, tokens: tokens, transport: transport)
        uploads = AsyncSemaphore(count: options.uploadConcurrency)
        conditionalWrites = Mutex(options.isGoogle ? .honoured : .unknown)
    }

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

    // MARK: - Reading

    public func head(_ key: ObjectKey) async throws(ObjectStoreError) -> ObjectInfo {
        try await naming("looking up the object", key) { () async throws(ServiceFailure) in
            let object = try await self.object(self.prefix.full(key))
            return ObjectInfo(key: key, sizeBytes: object.sizeBytes, etag: object.generation)
        }
    }

    func object(_ fullKey: String) async throws(ServiceFailure) -> GoogleCloudObject {
        let operation = GoogleCloudOperation(
            method: "GET", target: client.target(fullKey, [("fields", GoogleCloudObject.fields)]),
            headers: client.options.encryptionHeaders)
        return try GoogleCloudObject.parse(try await client.perform(operation))
    }

    public func get(_ key: ObjectKey, range: Range<Int>?) async throws(ObjectStoreError) -> [UInt8] {
        try await naming("reading the object", key) { () async throws(ServiceFailure) in
            let fullKey = try self.prefix.full(key)
            if let range, range.isEmpty || range.lowerBound < 0 {
                guard range.lowerBound >= 0 else { throw ServiceFailure(.invalid, "a range begins at 0 or behind") }
                _ = try await object(fullKey)  // nothing to read, but it must be there
                return []
            }
            return try await read(fullKey, range)
        }
    }

    private func read(_ fullKey: String, _ range: Range<Int>?) async throws(ServiceFailure) -> [UInt8] {
        try await RangedDownload.read(range, retries: client.options.retries) {
            (download) async throws(ServiceFailure) in
            var query: [(name: String, value: String)] = [("alt", "media")]
            // The rest of what has begun, and of nothing that took its place.
            if let generation = download.tag { query.append(("ifGenerationMatch", generation)) }
            // An object that was stored compressed comes as it is: uncompressed by the service it has no ranges.
            var headers = client.options.encryptionHeaders + [("Accept-Encoding", "gzip")]
            if let range = download.rangeHeader { headers.append(("Range", range)) }
            return try await client.attempt(
                GoogleCloudOperation(
                    method: "GET", target: client.target(fullKey, query), headers: headers,
                    responseLimit: download.responseLimit))
        } labels: { response in
            RangedDownload.Labels(
                tag: response.headers["x-goog-generation"], crc32c: CRC32C.value(googleHash: response.headers))
        }
    }

    // MARK: - Listing

    public func list(
        prefix: String, delimiter: String?, after: ObjectKey?, limit: Int
    ) async throws(ObjectStoreError) -> ObjectListing {
        try await naming("listing objects", nil) { () async throws(ServiceFailure) in
            try await ServiceListing.collect(below: self.prefix, delimiter: delimiter, after: after, limit: limit) {
                (start, count) async throws(ServiceFailure) in
                try await page(prefix: self.prefix.full(prefix: prefix), delimiter: delimiter, start, count)
            }
        }
    }

    private func page(
        prefix: String, delimiter: String?, _ start: ServiceListing.Start, _ count: Int
    ) async throws(ServiceFailure) -> ServicePage {
        var query: [(name: String, value: String)] = [
            ("prefix", prefix), ("maxResults", String(count)), ("fields", GoogleCloudListing.fields),
        ]
        if let delimiter { query.append(("delimiter", delimiter)) }
        switch start {
        case .token(let token): query.append(("pageToken", token))
        case .after(let key?):
            // The key itself is among the answer, and left out by who gathers it.
            query[1].value = String(count + 1)
            query.append(("startOffset", key))
        case .after(nil): break
        }
        let response = try await client.perform(GoogleCloudOperation(method: "GET", target: client.target(nil, query)))
        guard let page = ServicePage(googleCloud: response.body) else {
            throw ServiceFailure(.corrupt, "the answer is not a listing")
        }
        return page
    }
}
