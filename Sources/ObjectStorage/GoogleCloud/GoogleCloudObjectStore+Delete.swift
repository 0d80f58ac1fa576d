extension GoogleCloudObjectStore {
    /// Requests for one object each that go out at a time.
    private static let deletesAtOnce = 16

    public func delete(_ keys: [ObjectKey]) async throws(ObjectStoreError) {
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (index, key) in keys.enumerated() {
                    if index >= Self.deletesAtOnce { try await group.next() }
                    group.addTask {
                        try await self.naming("deleting the object", key) { () async throws(ServiceFailure) in
                            try await self.remove(try self.prefix.full(key))
                        }
                    }
                }
                try await group.waitForAll()
            }
        } catch {
            throw error as? ObjectStoreError
                ?? ObjectStoreError(.unavailable, "\(location): cancelled deleting objects", cause: error)
        }
    }

    /// - Parameter generation: The content that is to go, and no other that has taken its place; nil: whatever is there.
    func remove(_ fullKey: String, generation: String? = nil) async throws(ServiceFailure) {
        let query = generation.map { [(name: "ifGenerationMatch", value: $0)] } ?? []
        do throws(ServiceFailure) {
            _ = try await client.perform(GoogleCloudOperation(method: "DELETE", target: client.target(fullKey, query)))
        } catch {
            guard error.code == .notFound, !error.isContainerMissing else { throw error }
        }
    }
}
