extension OSSObjectStore {
    /// Requests for one object each that go out at a time.
    private static let singleDeletes = 8
    /// The most that the service takes in one request.
    private static let batchSize = 1000

    func delete(_ keys: [ObjectKey]) async throws(ObjectStoreError) {
        do {
            if keys.count == 1 { return try await deleteSingly(keys) }
            var single: [ObjectKey] = []
            var batch: [ObjectKey] = []
            for key in keys {
                // Keys that XML has no way to write go alone.
                if key.text.xmlText == nil { single.append(key) } else { batch.append(key) }
            }
            for start in stride(from: 0, to: batch.count, by: Self.batchSize) {
                try await deleteBatch(Array(batch[start..<min(start + Self.batchSize, batch.count)]))
            }
            try await deleteSingly(single)
        } catch let failure as OSSKeyFailure {
            throw describe(failure.failure, "deleting the object", failure.key)
        } catch let failure as ServiceFailure {
            throw describe(failure, "deleting objects", nil)
        } catch {
            throw ObjectStoreError(.unavailable, "\(location): cancelled deleting objects", cause: error)
        }
    }

    private func deleteSingly(_ keys: [ObjectKey]) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, key) in keys.enumerated() {
                if index >= Self.singleDeletes { try await group.next() }
                group.addTask { try await self.deleteOne(key) }
            }
            try await group.waitForAll()
        }
    }

    private func deleteOne(_ key: ObjectKey) async throws(OSSKeyFailure) {
        do throws(ServiceFailure) {
            _ = try await client.perform(OSSOperation(method: "DELETE", key: self.prefix.full(key)))
        } catch {
            if error.code == .notFound, !error.isContainerMissing { return }
            throw OSSKeyFailure(key: key, failure: error)
        }
    }

    /// Deletes up to 1000 objects by one request. The answer names what is gone: a quiet one would not tell what is
    /// not.
    private func deleteBatch(_ keys: [ObjectKey]) async throws {
        // By whole key, and as `ObjectKey`: strings take two spellings of one character for the same.
        var left: [ObjectKey: ObjectKey] = [:]
        for key in keys {
            do throws(ServiceFailure) { left[ObjectKey(try self.prefix.full(key))] = key } catch {
                throw OSSKeyFailure(key: key, failure: error)
            }
        }
        let operation = try await deletion(of: left.keys.map(\.text))
        var retrier = Retrier(policy: client.options.retries)
        while true {
            do throws(ServiceFailure) {
                let response = try await client.attempt(operation)
                guard let root = XMLElement.parse(response.body), root.name == "DeleteResult" else {
                    var failure = ServiceFailure(.corrupt, "the answer is not a list of what was deleted")
                    failure.isRetryable = true
                    throw failure
                }
                for element in root.all("Deleted") {
                    guard let key = element["Key"].flatMap(root.decoded) else { continue }
                    left[ObjectKey(key)] = nil
                }
                break
            } catch {
                try await retrier.wait(after: error)
            }
        }
        // Each of these will say why.
        try await deleteSingly(Array(left.values))
    }

    private func deletion(of keys: [String]) async throws(ServiceFailure) -> OSSOperation {
        var text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Delete><Quiet>false</Quiet>"
        for key in keys { text += "<Object><Key>\(key.xmlText ?? "")</Key></Object>" }
        text += "</Delete>"
        var operation = OSSOperation(
            method: "POST", query: [("delete", ""), ("encoding-type", "url")],
            headers: [("Content-Type", "application/xml")])
        try await operation.send(.bytes(Array(text.utf8)))
        return operation
    }
}

/// A failure with the key that it is about.
private struct OSSKeyFailure: Error {
    let key: ObjectKey
    let failure: ServiceFailure
}
