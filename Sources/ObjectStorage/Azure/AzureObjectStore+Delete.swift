import StorageURI

extension AzureObjectStore {
    /// Requests that go out at a time.
    private static let concurrency = 8

    /// One request an object: the service's batches need more rights than a signature can give.
    public func delete(_ keys: [ObjectKey]) async throws(ObjectStoreError) {
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (index, key) in keys.enumerated() {
                    if index >= Self.concurrency { try await group.next() }
                    group.addTask { try await self.delete(key) }
                }
                try await group.waitForAll()
            }
        } catch let error as ObjectStoreError {
            throw error
        } catch {
            throw ObjectStoreError(.unavailable, "\(location): cancelled deleting objects", cause: error)
        }
    }

    private func delete(_ key: ObjectKey) async throws(ObjectStoreError) {
        try await naming("deleting the object", key) { () async throws(ServiceFailure) in
            do throws(ServiceFailure) {
                // With the snapshots that somebody may have made of it: the service keeps none without their object.
                _ = try await client.perform(
                    AzureOperation(
                        method: "DELETE", key: self.prefix.full(key), headers: [("x-ms-delete-snapshots", "include")]))
            } catch {
                if error.code == .notFound, !error.isContainerMissing { return }
                throw error
            }
        }
    }
}
