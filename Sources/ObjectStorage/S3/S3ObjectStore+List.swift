import StorageURI

extension S3ObjectStore {
    /// The most that an answer may weigh.
    private static let pageBytesLimit = 16 << 20

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
            ("prefix", prefix), ("max-keys", String(count)), ("encoding-type", "url"),
        ]
        if let delimiter { query.append(("delimiter", delimiter)) }
        let usesV1 = client.options.usesListObjectsV1
        if !usesV1 { query.append(("list-type", "2")) }
        switch start {
        case .token(let token): query.append((usesV1 ? "marker" : "continuation-token", token))
        case .after(let key?): query.append((usesV1 ? "marker" : "start-after", key))
        case .after(nil): break
        }
        let operation = S3Operation(method: "GET", query: query, responseLimit: Self.pageBytesLimit)
        let response = try await client.perform(operation).response
        guard let page = ServicePage(s3: response.body, usesV1: usesV1) else {
            throw ServiceFailure(.corrupt, "the answer is not a listing")
        }
        return page
    }
}

extension ServicePage {
    /// One answer to ListObjects or ListObjectsV2. Nil when the bytes are no listing, or one with a key or length that
    /// cannot be.
    init?(s3 body: [UInt8], usesV1: Bool) {
        guard let root = XMLElement.parse(body), root.name == "ListBucketResult" else { return nil }
        let isEncoded = root["EncodingType"]?.lowercased() == "url"
        func decoded(_ text: String) -> String? {
            guard isEncoded else { return text }
            // Forms encode a space so; a plus is always `%2B`.
            return PercentEncoding.decode(
                text.split(separator: "+", omittingEmptySubsequences: false)
                    .joined(separator: "%20"))
        }
        for element in root.all("Contents") {
            guard let key = element["Key"].flatMap(decoded), let size = element["Size"].flatMap({ Int($0) }), size >= 0
            else { return nil }
            objects.append(Entry(key: key, sizeBytes: size, etag: element["ETag"].map(S3ObjectStore.bareTag)))
        }
        for element in root.all("CommonPrefixes") {
            guard let prefix = element["Prefix"].flatMap(decoded) else { return nil }
            commonPrefixes.append(prefix)
        }
        guard root["IsTruncated"] == "true" else { return }
        next = usesV1 ? root["NextMarker"].flatMap(decoded) : root["NextContinuationToken"]
        if next == nil {
            // The old call names what it goes on with only where there is a delimiter.
            let names = objects.map(\.key) + commonPrefixes
            next = names.max { $0.utf8.lexicographicallyPrecedes($1.utf8) }
            guard usesV1, next != nil else { return nil }
        }
    }
}
