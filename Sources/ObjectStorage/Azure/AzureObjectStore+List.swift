import StorageURI

extension AzureObjectStore {
    /// The most that an answer may weigh.
    private static let pageBytesLimit = 16 << 20
    /// How many names are asked for at a time while those before the wanted ones are passed over.
    private static let skippedCount = 1000

    /// The service goes on only where an answer of its own ended. Where ours ended is remembered, so that those who page
    /// do not begin anew each time.
    public func list(
        prefix: String, delimiter: String?, after: ObjectKey?, limit: Int
    ) async throws(ObjectStoreError) -> ObjectListing {
        try await naming("listing objects", nil) { () async throws(ServiceFailure) in
            let wholePrefix = self.prefix.full(prefix: prefix)
            let start = after.map { self.prefix.full(prefix: $0.text) }
            var scan = AzureListingScan(
                prefix: wholePrefix, delimiter: delimiter, after: start, marker: nil,
                startsAtName: delimiter == nil && client.options.canListFromName)
            if let start { scan.marker = listingPlaces.marker(scan.place(start)) }
            let listing = try await ServiceListing.collect(
                below: self.prefix, delimiter: delimiter, after: after, limit: limit
            ) { (start, count) async throws(ServiceFailure) in
                if case .token(let marker) = start { scan.marker = marker }
                let page = try await self.page(scan, scan.isSkipping ? Self.skippedCount : count)
                try scan.take(page)
                return page
            }
            if let last = listing.next.map({ self.prefix.full(prefix: $0.text) }) {
                listingPlaces.note(scan.place(last), scan.marker(behind: last))
            }
            return listing
        }
    }

    private func page(_ scan: AzureListingScan, _ count: Int) async throws(ServiceFailure) -> ServicePage {
        var query: [(name: String, value: String)] = [
            ("restype", "container"), ("comp", "list"), ("maxresults", String(count)),
        ]
        if !scan.prefix.isEmpty { query.append(("prefix", scan.prefix)) }
        if let delimiter = scan.delimiter { query.append(("delimiter", delimiter)) }
        if let marker = scan.marker {
            query.append(("marker", marker))
        } else if scan.startsAtName, let name = scan.after {
            query.append(("startFrom", name))
        }
        let operation = AzureOperation(method: "GET", query: query, responseLimit: Self.pageBytesLimit)
        guard let page = ServicePage(azure: try await client.perform(operation).body) else {
            throw ServiceFailure(.corrupt, "the answer is not a listing")
        }
        return page
    }
}

/// One call of `list`, as it works its way through the service's answers.
private struct AzureListingScan {
    let prefix: String
    let delimiter: String?
    let after: String?
    /// What continues the service's listing where the next answer, or the last one, began.
    var marker: String?
    let startsAtName: Bool
    private var lastPage = ServicePage()
    private var lastName: String?

    init(prefix: String, delimiter: String?, after: String?, marker: String?, startsAtName: Bool) {
        self.prefix = prefix
        self.delimiter = delimiter
        self.after = after
        self.marker = marker
        self.startsAtName = startsAtName
    }

    /// True as long as nothing behind `after` was seen.
    var isSkipping: Bool {
        guard let after, !startsAtName else { return false }
        guard let lastName else { return marker == nil }
        return !after.utf8.lexicographicallyPrecedes(lastName.utf8)
    }

    func place(_ name: String) -> AzureListingPlaces.Place {
        AzureListingPlaces.Place(prefix: prefix, delimiter: delimiter, after: ObjectKey(name))
    }

    /// Those who page rely on the order: what is listed out of it would be passed over.
    mutating func take(_ page: ServicePage) throws(ServiceFailure) {
        var last = lastName
        for names in [page.objects.map(\.key), page.commonPrefixes] {
            // Objects and prefixes are in order each for themselves, and both behind all of the page before.
            var previous = lastName
            for name in names {
                if let previous, name.utf8.lexicographicallyPrecedes(previous.utf8) {
                    throw ServiceFailure(
                        .invalid,
                        "it lists \(name) behind \(previous), which is not by their bytes; an account with a "
                            + "hierarchical namespace cannot be used")
                }
                previous = name
            }
            if let name = names.last, last.map({ $0.utf8.lexicographicallyPrecedes(name.utf8) }) ?? true { last = name }
        }
        lastName = last
        lastPage = page
    }

    /// What leads to the first name behind `name`, and perhaps some before it.
    func marker(behind name: String) -> String? {
        let isUsedUp = !(lastName.map { name.utf8.lexicographicallyPrecedes($0.utf8) } ?? false)
        return isUsedUp ? lastPage.next ?? marker : marker
    }
}

extension ServicePage {
    /// One answer to List Blobs. Nil when the bytes are no listing, or one with a key or length that cannot be.
    init?(azure body: [UInt8]) {
        guard let root = XMLElement.parse(body), root.name == "EnumerationResults",
            let blobs = root.all("Blobs").first
        else { return nil }
        func name(_ element: XMLElement) -> String? {
            guard let name = element.all("Name").first else { return nil }
            // Names with characters that XML cannot express.
            return name.attribute("Encoded") == "true" ? PercentEncoding.decode(name.text) : name.text
        }
        for element in blobs.all("Blob") {
            guard let properties = element.all("Properties").first else { return nil }
            // A folder of an account with a hierarchical namespace.
            if properties["ResourceType"] == "directory" { continue }
            guard let key = name(element), let size = properties["Content-Length"].flatMap({ Int($0) }), size >= 0
            else { return nil }
            objects.append(
                Entry(key: key, sizeBytes: size, etag: properties["Etag"].map(AzureObjectStore.bareTag)))
        }
        for element in blobs.all("BlobPrefix") {
            guard let prefix = name(element) else { return nil }
            commonPrefixes.append(prefix)
        }
        next = root["NextMarker"].flatMap { $0.isEmpty ? nil : $0 }
    }
}
