import FoundationEssentials
import StorageURI

extension SwiftObjectStore {
    /// The most that one answer holds.
    private static let pageLimit = 10_000
    /// The most that an answer may weigh: the longest names, with every character escaped, are longer than any are.
    private static let pageBytesLimit = 64 << 20

    public func list(
        prefix: String, delimiter: String?, after: ObjectKey?, limit: Int
    ) async throws(ObjectStoreError) -> ObjectListing {
        try await naming("listing objects", nil) { () async throws(ServiceFailure) in
            try await ServiceListing.collect(
                below: self.prefix, delimiter: delimiter, after: after, limit: limit, pageLimit: Self.pageLimit
            ) { (start, count) async throws(ServiceFailure) in
                try await page(prefix: self.prefix.full(prefix: prefix), delimiter: delimiter, start, count)
            }
        }
    }

    private func page(
        prefix: String, delimiter: String?, _ start: ServiceListing.Start, _ count: Int
    ) async throws(ServiceFailure) -> ServicePage {
        var operation = SwiftOperation(
            method: "GET", target: .container(client.container), query: [("format", "json"), ("limit", String(count))],
            responseLimit: Self.pageBytesLimit)
        if !prefix.isEmpty { operation.query.append(("prefix", prefix)) }
        if let delimiter { operation.query.append(("delimiter", delimiter)) }
        switch start {
        case .token(let marker), .after(let marker?): operation.query.append(("marker", marker))
        case .after(nil): break
        }
        let response = try await client.perform(operation)
        guard let page = ServicePage(swift: response, limit: count) else {
            throw ServiceFailure(.corrupt, "the answer is not a listing")
        }
        return page
    }
}

extension ServicePage {
    private struct Item: Decodable {
        let name: String?
        let bytes: Int?
        let hash: String?
        /// The tag of a large object, where `hash` is that of its manifest.
        let largeObjectTag: String?
        let subdir: String?

        enum CodingKeys: String, CodingKey {
            case name, bytes, hash, subdir
            case largeObjectTag = "slo_etag"
        }
    }

    /// One answer to a listing. Nil when the bytes are no listing.
    init?(swift response: HTTPResponse, limit: Int) {
        if response.status == 204 { return }  // nothing, in some services' way
        guard let items = try? JSONDecoder().decode([Item].self, from: Data(response.body)) else { return nil }
        for item in items {
            if let prefix = item.subdir {
                commonPrefixes.append(prefix)
            } else if let name = item.name, let size = item.bytes, size >= 0 {
                let tag = item.largeObjectTag ?? item.hash
                objects.append(Entry(key: name, sizeBytes: size, etag: tag.map(SwiftObjectStore.bareTag)))
            } else {
                return nil
            }
        }
        // An answer does not say whether it is the last: a full one may not be.
        if items.count >= limit { next = items.last.flatMap { $0.subdir ?? $0.name } }
    }
}
