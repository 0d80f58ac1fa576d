public import StorageURI

/// A storage that can only be read: what an import takes, so that no mistake can write to its source.
///
/// The store itself is out of reach: there is no way from here to a `put` or `delete`.
public struct ReadOnlyStore: ReadableStore {
    private let store: any ReadableStore
    public init(_ store: any ReadableStore) { self.store = store }

    public var location: StorageLocation { store.location }

    public func head(_ key: ObjectKey) async throws(ObjectStoreError) -> ObjectInfo { try await store.head(key) }

    public func get(_ key: ObjectKey, range: Range<Int>?) async throws(ObjectStoreError) -> [UInt8] {
        try await store.get(key, range: range)
    }

    public func list(
        prefix: String, delimiter: String?, after: ObjectKey?, limit: Int
    ) async throws(ObjectStoreError) -> ObjectListing {
        try await store.list(prefix: prefix, delimiter: delimiter, after: after, limit: limit)
    }
}
