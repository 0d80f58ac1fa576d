import Digests

extension S3ObjectStore {
    /// Requests for one object each that go out at a time.
    private static let singleDeletes = 8

    public func delete(_ keys: [ObjectKey]) async throws(ObjectStoreError) {
        let action = "deleting objects"
        let size = client.options.deleteBatchSize
        do {
            if keys.count == 1 || size <= 1 { return try await deleteSingly(keys) }
            var single: [ObjectKey] = []
            var batch: [ObjectKey] = []
            for key in keys {
                // Keys that XML has no way to write go alone.
                if key.text.xmlText == nil { single.append(key) } else { batch.append(key) }
            }
            for start in stride(from: 0, to: batch.count, by: size) {
                try await deleteBatch(Array(batch[start..<min(start + size, batch.count)]))
            }
            try await deleteSingly(single)
        } catch let failure as S3KeyFailure {
            throw describe(failure.failure, "deleting the object", failure.key)
        } catch let failure as ServiceFailure {
            throw describe(failure, action, nil)
        } catch {
            throw ObjectStoreError(.unavailable, "\(location): cancelled \(action)", cause: error)
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

    private func deleteOne(_ key: ObjectKey) async throws(S3KeyFailure) {
        do throws(ServiceFailure) {
            _ = try await client.perform(S3Operation(method: "DELETE", key: self.prefix.full(key)))
        } catch {
            if error.code == .notFound, error.serviceCode != "NoSuchBucket" { return }
            throw S3KeyFailure(key: key, failure: error)
        }
    }

    /// Deletes up to 1000 objects by one request; again those that the service could not delete just now.
    private func deleteBatch(_ keys: [ObjectKey]) async throws {
        // By whole key, and as `ObjectKey`: strings take two spellings of one character for the same.
        var left: [ObjectKey: ObjectKey] = [:]
        for key in keys {
            do throws(ServiceFailure) { left[ObjectKey(try self.prefix.full(key))] = key } catch {
                throw S3KeyFailure(key: key, failure: error)
            }
        }
        var retrier = Retrier(policy: client.options.retries)
        while !left.isEmpty {
            let response: HTTPResponse
            do throws(ServiceFailure) { response = try await sendDelete(left.keys.map(\.text)) } catch {
                // A service without batches.
                if error.status == 501 || error.serviceCode == "NotImplemented" {
                    return try await deleteSingly(Array(left.values))
                }
                throw error
            }
            guard let root = XMLElement.parse(response.body), root.name == "DeleteResult" else {
                var failure = ServiceFailure(s3: response)
                if failure.serviceCode.isEmpty {
                    failure = ServiceFailure(.corrupt, "the answer is not a list of what was deleted")
                    failure.isRetryable = true
                }
                try await retrier.wait(after: failure)
                continue
            }
            var again: [ObjectKey: ObjectKey] = [:]
            var passing: ServiceFailure?
            for element in root.all("Error") {
                var failure = ServiceFailure(status: 0, element: element)
                guard let name = element["Key"].map({ ObjectKey($0) }), let key = left[name] else {
                    failure.detail = "\(failure.serviceCode) \(failure.detail)"
                    throw failure
                }
                if failure.serviceCode == "NoSuchKey" { continue }
                failure.detail = "\(failure.serviceCode): \(failure.detail)"
                guard failure.isRetryable else { throw S3KeyFailure(key: key, failure: failure) }
                again[name] = key
                passing = failure
            }
            left = again
            if let passing { try await retrier.wait(after: passing) }
        }
    }

    private func sendDelete(_ keys: [String]) async throws(ServiceFailure) -> HTTPResponse {
        var text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Delete><Quiet>true</Quiet>"
        for key in keys { text += "<Object><Key>\(key.xmlText ?? "")</Key></Object>" }
        text += "</Delete>"
        let payload = try await S3Payload.digesting(.bytes(Array(text.utf8)), isSigned: true, needsMD5: true)
        let operation = S3Operation(
            method: "POST", query: [("delete", "")], headers: [("Content-Type", "application/xml")], payload: payload)
        return try await client.perform(operation).response
    }
}

/// A failure with the key that it is about.
private struct S3KeyFailure: Error {
    let key: ObjectKey
    let failure: ServiceFailure
}
