import StorageURI

/// One answer of a service to a listing, with whole keys.
struct ServicePage {
    struct Entry {
        let key: String
        let sizeBytes: Int
        var etag: String?
    }
    var objects: [Entry] = []
    var commonPrefixes: [String] = []
    /// What continues the listing, as the service takes it; nil at the end.
    var next: String?
}

/// Gathers the answers of a service to one page of ours.
struct ServiceListing {
    /// Where the next answer begins.
    enum Start {
        /// Behind this whole key; nil: at the beginning.
        case after(String?)
        /// Where an answer said that it goes on.
        case token(String)
    }

    /// The most that services put into one answer.
    private static let pageLimit = 1000

    private let prefix: KeyPrefix
    private let after: ObjectKey?
    private let limit: Int
    private var listing = ObjectListing()
    /// The last name taken over, with the prefix.
    private var last: String?
    private var start: Start
    private var isMore = true

    /// Lists up to `limit` names past `after`, in byte order.
    ///
    /// - Parameters:
    ///   - pageLimit: The most that the service puts into one answer.
    ///   - fetch: Asks the service once, for up to so many names (a service may give more or fewer). Names up to `after`
    ///     may be among them: they are left out here.
    static func collect(
        below prefix: KeyPrefix, delimiter: String?, after: ObjectKey?, limit: Int,
        pageLimit: Int = Self.pageLimit, fetch: (Start, Int) async throws(ServiceFailure) -> ServicePage
    ) async throws(ServiceFailure) -> ObjectListing {
        var gathering = ServiceListing(prefix: prefix, after: after, limit: limit)
        while gathering.isMore {
            let count = gathering.count
            guard count < limit else {
                // Behind the last in the service's own order, which is where it goes on from.
                gathering.listing.next = gathering.last.flatMap { prefix.relative($0).map { ObjectKey($0) } }
                break
            }
            // One more where the first may be the common prefix that `after` lies in.
            let wanted = min(pageLimit, limit - count + (delimiter == nil ? 0 : 1))
            try gathering.add(try await fetch(gathering.start, wanted))
        }
        var listing = gathering.listing
        listing.objects.sort { $0.key < $1.key }
        listing.commonPrefixes.sort { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        return listing
    }

    private init(prefix: KeyPrefix, after: ObjectKey?, limit: Int) {
        self.prefix = prefix
        self.after = after
        self.limit = limit
        start = .after(after.map { prefix.full(prefix: $0.text) })
    }

    private var count: Int { listing.objects.count + listing.commonPrefixes.count }

    /// Takes over what belongs in the listing.
    private mutating func add(_ page: ServicePage) throws(ServiceFailure) {
        // Keys and prefixes come as two lists; merged, they are cut off in one order.
        var entries = page.objects.map { (name: $0.key, object: $0 as ServicePage.Entry?) }
        entries += page.commonPrefixes.map { (name: $0, object: nil) }
        if !page.commonPrefixes.isEmpty { entries.sort { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) } }
        var isCut = false
        for (name, object) in entries {
            guard let text = prefix.relative(name) else {
                throw ServiceFailure(.corrupt, "listed outside the prefix: \(name)")
            }
            let key = ObjectKey(text)
            if let after, !(after < key) { continue }
            // The prefix itself, where a tool has made an object for it.
            if text.isEmpty { continue }
            guard count < limit else {
                isCut = true
                break
            }
            if let object {
                listing.objects.append(ObjectInfo(key: key, sizeBytes: object.sizeBytes, etag: object.etag))
            } else if !(listing.commonPrefixes.last?.utf8.elementsEqual(text.utf8) ?? false) {
                listing.commonPrefixes.append(text)
            }
            last = name
        }
        isMore = isCut || page.next != nil
        guard let next = page.next, !isCut else { return }
        if case .token(next) = start { throw ServiceFailure(.corrupt, "the listing does not go on") }
        start = .token(next)
    }
}
