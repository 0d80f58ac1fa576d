import FoundationEssentials
import StorageURI

extension SwiftObjectStore {
    /// Requests for one object each that go out at a time.
    private static let singleRequests = 16
    /// The most that are deleted by one request: its answer comes when all are.
    private static let longestBatch = 1000

    /// Large objects go by a request each, which takes their segments along; the rest several at a time, where the
    /// service can do that.
    public func delete(_ keys: [ObjectKey]) async throws(ObjectStoreError) {
        let action = "deleting objects"
        do {
            let found = try await inParallel(keys) { (key) throws(ServiceFailure) in
                try await self.lookUpIfThere(self.prefix.full(key)).map { Self.isSegmented($0) }
            }
            let plain = found.filter { $0.value == false }.map(\.key)
            let segmented = found.filter { $0.value == true }.map(\.key)
            _ = try await inParallel(segmented) { (key) throws(ServiceFailure) in try await self.deleteSegmented(key) }
            let limit = plain.count > 1 ? min(Self.longestBatch, try await client.bulkDeleteLimit()) : 0
            guard limit > 1 else { return try await deleteSingly(plain) }
            for start in stride(from: 0, to: plain.count, by: limit) {
                try await deleteBatch(Array(plain[start..<min(start + limit, plain.count)]))
            }
        } catch let failure as SwiftKeyFailure {
            throw failure.failure.error(
                "deleting the object", failure.key, at: location, credentials: client.credentialSource)
        } catch let failure as ServiceFailure {
            throw failure.error(action, nil, at: location, credentials: client.credentialSource)
        } catch {
            throw ObjectStoreError(.unavailable, "\(location): cancelled \(action)", cause: error)
        }
    }

    /// Does `work` for each key, some side by side.
    private func inParallel<Value: Sendable>(
        _ keys: [ObjectKey], _ work: @escaping @Sendable (ObjectKey) async throws(ServiceFailure) -> Value
    ) async throws -> [(key: ObjectKey, value: Value)] {
        try await withThrowingTaskGroup(of: (key: ObjectKey, value: Value).self) { group in
            var results: [(key: ObjectKey, value: Value)] = []
            for (index, key) in keys.enumerated() {
                if index >= Self.singleRequests, let result = try await group.next() { results.append(result) }
                group.addTask {
                    do throws(ServiceFailure) { return (key, try await work(key)) } catch {
                        throw SwiftKeyFailure(key: key, failure: error)
                    }
                }
            }
            for try await result in group { results.append(result) }
            return results
        }
    }

    private func deleteSingly(_ keys: [ObjectKey]) async throws {
        _ = try await inParallel(keys) { (key) throws(ServiceFailure) in
            do throws(ServiceFailure) {
                _ = try await self.client.perform(
                    SwiftOperation(method: "DELETE", target: self.client.object(self.prefix.full(key))))
            } catch {
                if error.code != .notFound || error.isContainerMissing { throw error }
            }
        }
    }

    /// Deletes a large object, its segments first: what fails in the middle is taken up by the next try.
    private func deleteSegmented(_ key: ObjectKey) async throws(ServiceFailure) {
        let operation = SwiftOperation(
            method: "DELETE", target: client.object(try prefix.full(key)), query: [("multipart-manifest", "delete")],
            headers: [("Accept", "application/json")], mayStall: true)
        var retrier = Retrier(policy: client.options.retries)
        while true {
            let report = try SwiftBulkReport(try await client.perform(operation))
            guard let failure = report.failure else { return }
            try await retrier.wait(after: failure)
        }
    }

    /// Deletes many objects by one request; those that it could not delete singly, which tells why.
    private func deleteBatch(_ keys: [ObjectKey]) async throws {
        var lines: [String] = []
        for key in keys {
            do throws(ServiceFailure) { lines.append(client.object(try prefix.full(key)).path) } catch {
                throw SwiftKeyFailure(key: key, failure: error)
            }
        }
        let operation = SwiftOperation(
            method: "POST", target: .account, query: [("bulk-delete", "")],
            headers: [("Content-Type", "text/plain"), ("Accept", "application/json")],
            body: .bytes(Array(lines.joined(separator: "\n").utf8)), mayStall: true)
        let report = try SwiftBulkReport(try await client.perform(operation))
        if report.failure != nil { try await deleteSingly(keys) }
    }
}

/// What a request that deletes more than one object answers, in the end: its status is that of its beginning.
private struct SwiftBulkReport {
    private struct Document: Decodable {
        let status: String
        let errors: [[String]]

        enum CodingKeys: String, CodingKey {
            case status = "Response Status"
            case errors = "Errors"
        }
    }

    /// Nil when all is deleted, or was not there.
    let failure: ServiceFailure?

    init(_ response: HTTPResponse) throws(ServiceFailure) {
        guard let document = try? JSONDecoder().decode(Document.self, from: Data(response.body)) else {
            throw ServiceFailure(.corrupt, "the answer does not say what was deleted")
        }
        let status = document.status.prefix { $0.isNumber }
        guard !document.errors.isEmpty || status.first != "2" && status != "404" else {
            failure = nil
            return
        }
        let said = document.errors.first?.last ?? document.status
        var failure = ServiceFailure(
            status: Int(said.prefix { $0.isNumber }) ?? 500, serviceCode: "", message: said)
        // Whatever it was, the next try goes on with what is left.
        failure.isRetryable = failure.isRetryable || failure.code == .unavailable
        self.failure = failure
    }
}

/// A failure with the key that it is about.
private struct SwiftKeyFailure: Error {
    let key: ObjectKey
    let failure: ServiceFailure
}
