import StorageURI

extension OSSObjectStore {
    /// The most that an answer may weigh.
    private static let pageBytesLimit = 16 << 20

    func list(
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
            ("list-type", "2"), ("prefix", prefix), ("max-keys", String(count)), ("encoding-type", "url"),
        ]
        if let delimiter { query.append(("delimiter", delimiter)) }
        switch start {
        case .token(let token): query.append(("continuation-token", token))
        case .after(let key?): query.append(("start-after", key))
        case .after(nil): break
        }
        let operation = OSSOperation(method: "GET", query: query, responseLimit: Self.pageBytesLimit)
        let response = try await client.perform(operation).response
        guard let page = ServicePage(oss: response.body) else {
            throw ServiceFailure(.corrupt, "the answer is not a listing")
        }
        return page
    }
}

extension ServicePage {
    /// One answer to ListObjectsV2. Nil when the bytes are no listing, or one with a key or length that cannot be.
    init?(oss body: [UInt8]) {
        guard let root = XMLElement.parse(body), root.name == "ListBucketResult" else { return nil }
        for element in root.all("Contents") {
            guard let key = element["Key"].flatMap(root.decoded), let size = element["Size"].flatMap({ Int($0) }),
                size >= 0
            else { return nil }
            objects.append(Entry(key: key, sizeBytes: size, etag: element["ETag"].map(OSSObjectStore.bareTag)))
        }
        for element in root.all("CommonPrefixes") {
            guard let prefix = element["Prefix"].flatMap(root.decoded) else { return nil }
            commonPrefixes.append(prefix)
        }
        guard root["IsTruncated"] == "true" else { return }
        guard let token = root["NextContinuationToken"].flatMap(root.decoded), !token.isEmpty else { return nil }
        next = token
    }
}

extension XMLElement {
    /// A key within this answer, which says whether it has them percent-encoded.
    func decoded(_ text: String) -> String? {
        self["EncodingType"]?.lowercased() == "url" ? PercentEncoding.decode(text) : text
    }
}
