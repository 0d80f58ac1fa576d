extension ReadableStore {
    /// All objects whose keys begin with `prefix`, in byte order, fetched page by page as they are asked for.
    public func listAll(prefix: String = "", after: ObjectKey? = nil, pageCount: Int = 1000) -> ObjectSequence {
        ObjectSequence(store: self, prefix: prefix, after: after, pageCount: pageCount)
    }

    /// The common prefixes right below `prefix`, as the names of directories would be: each whole, with its slash.
    public func listDirectories(prefix: String) async throws(ObjectStoreError) -> [String] {
        var directories: [String] = []
        var after: ObjectKey?
        repeat {
            let page = try await list(prefix: prefix, delimiter: "/", after: after, limit: 1000)
            directories += page.commonPrefixes
            after = page.next
        } while after != nil
        return directories
    }

    /// True when there is no object whose key begins with `prefix`.
    public func isEmpty(prefix: String = "") async throws(ObjectStoreError) -> Bool {
        try await list(prefix: prefix, delimiter: nil, after: nil, limit: 1).objects.isEmpty
    }
}

/// The objects of a storage, page by page.
public struct ObjectSequence: AsyncSequence, Sendable {
    public typealias Element = ObjectInfo
    public typealias Failure = ObjectStoreError

    fileprivate let store: any ReadableStore
    fileprivate let prefix: String
    fileprivate let after: ObjectKey?
    fileprivate let pageCount: Int

    public func makeAsyncIterator() -> Iterator { Iterator(self) }

    public struct Iterator: AsyncIteratorProtocol {
        private let sequence: ObjectSequence
        private var page: [ObjectInfo] = []
        private var nextIndex = 0
        private var after: ObjectKey?
        private var isLastPage = false

        fileprivate init(_ sequence: ObjectSequence) {
            self.sequence = sequence
            after = sequence.after
        }

        public mutating func next() async throws(ObjectStoreError) -> ObjectInfo? {
            try await nextObject()
        }

        public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(ObjectStoreError) -> ObjectInfo? {
            try await nextObject()
        }

        private mutating func nextObject() async throws(ObjectStoreError) -> ObjectInfo? {
            while nextIndex == page.count {
                if isLastPage { return nil }
                let listing = try await sequence.store.list(
                    prefix: sequence.prefix, delimiter: nil, after: after, limit: sequence.pageCount)
                page = listing.objects
                nextIndex = 0
                after = listing.next
                isLastPage = listing.next == nil
            }
            nextIndex += 1
            return page[nextIndex - 1]
        }
    }
}
