import StorageURI

extension S3ObjectStore {
    /// The most that services put into one answer, and the most that it may weigh.
    private static let pageLimit = 1000
    private static let pageBytesLimit = 16 << 20

    public func list(
        prefix: String, delimiter: String?, after: ObjectKey?, limit: Int
    ) async throws(ObjectStoreError) -> ObjectListing {
        try await naming("listing objects", nil) { () async throws(S3Failure) in
            var listing = ObjectListing()
            var cursor = S3ListCursor(after: after.map { fullPrefix($0.text) })
            while cursor.isMore {
                let count = listing.objects.count + listing.commonPrefixes.count
                guard count < limit else {
                    // Behind the last in the service's own order, which is where it goes on from.
                    listing.next = cursor.last.flatMap { relative($0).map { ObjectKey($0) } }
                    break
                }
                // One more where the first may be the common prefix that `after` lies in.
                let wanted = min(Self.pageLimit, limit - count + (delimiter == nil ? 0 : 1))
                let page = try await page(prefix: fullPrefix(prefix), delimiter: delimiter, cursor, wanted)
                try add(page, after: after, limit: limit, to: &listing, &cursor)
            }
            listing.objects.sort { $0.key < $1.key }
            listing.commonPrefixes.sort { $0.utf8.lexicographicallyPrecedes($1.utf8) }
            return listing
        }
    }

    private func page(
        prefix: String, delimiter: String?, _ cursor: S3ListCursor, _ count: Int
    ) async throws(S3Failure) -> S3ListPage {
        var query: [(name: String, value: String)] = [
            ("prefix", prefix), ("max-keys", String(count)), ("encoding-type", "url"),
        ]
        if let delimiter { query.append(("delimiter", delimiter)) }
        let usesV1 = client.options.usesListObjectsV1
        if !usesV1 { query.append(("list-type", "2")) }
        if let token = cursor.token {
            query.append((usesV1 ? "marker" : "continuation-token", token))
        } else if let start = cursor.start {
            query.append((usesV1 ? "marker" : "start-after", start))
        }
        let operation = S3Operation(method: "GET", query: query, responseLimit: Self.pageBytesLimit)
        let response = try await client.perform(operation).response
        guard let page = S3ListPage(response.body, usesV1: usesV1) else {
            throw S3Failure(.corrupt, "the answer is not a listing")
        }
        return page
    }

    /// Takes over what belongs in the listing, and moves the cursor on.
    private func add(
        _ page: S3ListPage, after: ObjectKey?, limit: Int, to listing: inout ObjectListing, _ cursor: inout S3ListCursor
    ) throws(S3Failure) {
        // Keys and prefixes come as two lists; merged, they are cut off in one order.
        var entries = page.objects.map { (name: $0.key, object: $0 as S3ListPage.Entry?) }
        entries += page.commonPrefixes.map { (name: $0, object: nil) }
        if !page.commonPrefixes.isEmpty { entries.sort { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) } }
        var isCut = false
        for (name, object) in entries {
            guard let text = relative(name) else { throw S3Failure(.corrupt, "listed outside the prefix: \(name)") }
            let key = ObjectKey(text)
            if let after, object == nil, !(after < key) { continue }
            // The prefix itself, where a tool has made an object for it.
            if text.isEmpty { continue }
            guard listing.objects.count + listing.commonPrefixes.count < limit else {
                isCut = true
                break
            }
            if let object {
                listing.objects.append(ObjectInfo(key: key, sizeBytes: object.sizeBytes, etag: object.etag))
            } else if !(listing.commonPrefixes.last?.utf8.elementsEqual(text.utf8) ?? false) {
                listing.commonPrefixes.append(text)
            }
            cursor.last = name
        }
        cursor.isMore = isCut || page.isTruncated
        guard cursor.isMore, !isCut else { return }
        let next = page.next ?? entries.last?.name
        guard let next, next != cursor.token else { throw S3Failure(.corrupt, "the listing does not go on") }
        cursor.token = next
    }

    /// A whole key without this store's prefix; nil when it does not have it.
    private func relative(_ fullKey: String) -> String? {
        if location.path.isEmpty { return fullKey }
        let prefix = "\(location.path)/"
        guard fullKey.utf8.starts(with: prefix.utf8) else { return nil }
        return String(decoding: fullKey.utf8.dropFirst(prefix.utf8.count), as: UTF8.self)
    }
}

/// Where a listing of several answers stands.
private struct S3ListCursor {
    /// Where the first answer starts behind.
    let start: String?
    /// What the service gave for the next answer.
    var token: String?
    /// The last name taken over.
    var last: String?
    var isMore = true

    init(after: String?) { start = after }
}

/// One answer to ListObjects or ListObjectsV2.
struct S3ListPage {
    struct Entry {
        let key: String
        let sizeBytes: Int
        let etag: String?
    }
    let objects: [Entry]
    let commonPrefixes: [String]
    let isTruncated: Bool
    /// What continues the listing: a token, or with the old call a key.
    let next: String?

    /// Nil when the bytes are no listing, or one with a key or length that cannot be.
    init?(_ body: [UInt8], usesV1: Bool) {
        guard let root = S3XMLElement.parse(body), root.name == "ListBucketResult" else { return nil }
        let isEncoded = root["EncodingType"]?.lowercased() == "url"
        func decoded(_ text: String) -> String? {
            guard isEncoded else { return text }
            // Forms encode a space so; a plus is always `%2B`.
            return PercentEncoding.decode(
                text.split(separator: "+", omittingEmptySubsequences: false)
                    .joined(separator: "%20"))
        }
        var objects: [Entry] = []
        for element in root.all("Contents") {
            guard let key = element["Key"].flatMap(decoded), let size = element["Size"].flatMap({ Int($0) }), size >= 0
            else { return nil }
            objects.append(Entry(key: key, sizeBytes: size, etag: element["ETag"].map(S3ObjectStore.bareTag)))
        }
        var prefixes: [String] = []
        for element in root.all("CommonPrefixes") {
            guard let prefix = element["Prefix"].flatMap(decoded) else { return nil }
            prefixes.append(prefix)
        }
        self.objects = objects
        commonPrefixes = prefixes
        isTruncated = root["IsTruncated"] == "true"
        if usesV1 {
            next = root["NextMarker"].flatMap(decoded)
        } else {
            next = root["NextContinuationToken"]
        }
    }
}
