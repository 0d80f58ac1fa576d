import StorageURI

extension AzureObjectStore {
    /// The most that an answer may weigh.
    private static let pageBytesLimit = 16 << 20
    /// How many names are asked for at a time while those before the wanted ones are passed over.
    private static let skippedCount = 1000

    /// The service goes on only where an answer of its own ended. Where those began in which ours ended is remembered, so
    /// that one who pages does not begin anew each time. Not where they ended: what is written in between would be missed.
    public func list(
        prefix: String, delimiter: String?, after: ObjectKey?, limit: Int
    ) async throws(ObjectStoreError) -> ObjectListing {
        try await naming("listing objects", nil) { () async throws(ServiceFailure) in
            let start = after.map { self.prefix.full(prefix: $0.text) }
            var scan = AzureListingScan(
                prefix: self.prefix.full(prefix: prefix), delimiter: delimiter, after: start,
                startsAtName: delimiter == nil && client.options.canListFromName)
            if let start, !scan.startsAtName { scan.resume(listingPlaces.marker(scan.place(start))) }
            let listing = try await ServiceListing.collect(
                below: self.prefix, delimiter: delimiter, after: after, limit: limit
            ) { (start, count) async throws(ServiceFailure) in
                if case .token(let marker) = start { scan.marker = marker }
                let page = try await self.page(&scan, count)
                try scan.take(page)
                return page
            }
            if let last = listing.next.map({ self.prefix.full(prefix: $0.text) }) {
                listingPlaces.note(scan.place(last), scan.marker)
            }
            return listing
        }
    }

    private func page(_ scan: inout AzureListingScan, _ count: Int) async throws(ServiceFailure) -> ServicePage {
        do throws(ServiceFailure) {
            return try await request(scan, count)
        } catch {
            // What we remember is no promise of the service's.
            guard error.status == 400, scan.isAtResumedPlace else { throw error }
            scan.resume(nil)
            return try await request(scan, count)
        }
    }

    private func request(_ scan: AzureListingScan, _ count: Int) async throws(ServiceFailure) -> ServicePage {
        var count = scan.isSkipping ? Self.skippedCount : count
        var query: [(name: String, value: String)] = [("restype", "container"), ("comp", "list")]
        if !scan.prefix.isEmpty { query.append(("prefix", scan.prefix)) }
        if let delimiter = scan.delimiter { query.append(("delimiter", delimiter)) }
        if let marker = scan.marker {
            query.append(("marker", marker))
        } else if scan.startsAtName, let name = scan.after {
            query.append(("startFrom", name))
            count += 1  // that name is among them
        }
        query.append(("maxresults", String(count)))
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
    /// Whether the service begins at `after` by itself.
    let startsAtName: Bool
    /// What the service was told to go on with for its last answer, or will be for its next; nil: its beginning.
    var marker: String?
    private var isResumed = false
    /// The last name that was listed.
    private var lastName: String?

    init(prefix: String, delimiter: String?, after: String?, startsAtName: Bool) {
        self.prefix = prefix
        self.delimiter = delimiter
        self.after = after
        self.startsAtName = startsAtName
    }

    mutating func resume(_ marker: String?) {
        self.marker = marker
        isResumed = marker != nil
    }

    var isAtResumedPlace: Bool { isResumed && lastName == nil }

    /// True while all names before `after` are listed and passed over.
    var isSkipping: Bool {
        guard let after, !startsAtName, !isResumed else { return false }
        return lastName.map { !after.utf8.lexicographicallyPrecedes($0.utf8) } ?? true
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
