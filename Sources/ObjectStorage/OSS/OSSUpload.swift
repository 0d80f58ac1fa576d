import FoundationEssentials
import Synchronization

extension OSSObjectStore {
    /// Writes an object in parts, several at a time, and joins them. Whatever goes wrong, the parts are removed.
    func putParts(
        _ write: OSSWrite, _ first: HTTPBody, _ parts: inout PartSource
    ) async throws(ServiceFailure) -> ObjectInfo {
        let upload = OSSUpload(store: self, write: write)
        do throws(ServiceFailure) {
            try await upload.begin()
            let sent = try await sendParts(
                first, &parts, places: uploads, concurrency: client.options.uploadConcurrency
            ) { (body, number) async throws(ServiceFailure) in try await upload.send(body, number: number) }
            let info = try await upload.join(sent)
            await regardlessOfCancellation { await upload.removeStrays() }
            return info
        } catch {
            // Not in this task, which may be cancelled: what was sent costs money until it is removed.
            await regardlessOfCancellation { await upload.abandon() }
            throw error
        }
    }
}

/// One multipart upload: its beginning, its parts, its end.
final class OSSUpload: Sendable {
    struct Part: Sendable {
        let number: Int
        let etag: String
    }

    private struct State {
        /// Given by the service once it has begun.
        var id = ""
        var begunAt: ContinuousClock.Instant?
        /// True when an upload may have begun whose id did not reach us.
        var mayHaveStrays = false
        /// What the parts sent have in all.
        var byteCount = 0
    }

    private let store: OSSObjectStore
    private let write: OSSWrite
    private let startedAt = ContinuousClock.now
    private let state = Mutex(State())

    init(store: OSSObjectStore, write: OSSWrite) {
        self.store = store
        self.write = write
    }

    private var client: OSSClient { store.client }

    func begin() async throws(ServiceFailure) {
        var operation = OSSOperation(
            method: "POST", key: write.fullKey, query: [("uploads", "")],
            headers: store.creationHeaders + [write.tokenHeader], isRepeatable: false)
        // The condition here saves the sending of parts that would be refused at the end.
        if write.mode == .createOnly { operation.headers.append(OSSObjectStore.ifAbsent) }
        do throws(ServiceFailure) {
            let answer = try await client.perform(operation)
            let id = XMLElement.parse(answer.response.body)?["UploadId"] ?? ""
            state.withLock { state in
                state.id = id
                state.begunAt = .now
                state.mayHaveStrays = answer.mayHaveRunBefore || id.isEmpty
            }
            guard !id.isEmpty else { throw ServiceFailure(.corrupt, "the answer gives no id for the upload") }
        } catch {
            if error.mayHaveRun { state.withLock { $0.mayHaveStrays = true } }
            throw error
        }
    }

    func send(_ body: HTTPBody, number: Int) async throws(ServiceFailure) -> Part {
        var operation = OSSOperation(
            method: "PUT", key: write.fullKey,
            query: [("partNumber", String(number)), ("uploadId", state.withLock(\.id))])
        try await operation.send(body)
        let response = try await client.perform(operation).response
        guard let etag = response.headers["etag"], !etag.isEmpty, etag.xmlText != nil else {
            throw ServiceFailure(.corrupt, "the answer gives no tag for part \(number)")
        }
        state.withLock { $0.byteCount += body.count }
        return Part(number: number, etag: etag)
    }

    /// Makes the object of its parts.
    func join(_ parts: [Part]) async throws(ServiceFailure) -> ObjectInfo {
        if write.mode == .createOnly, store.mustLookFirst, try await store.exists(write.fullKey) {
            throw ServiceFailure(.alreadyExists, "")
        }
        var text = "<CompleteMultipartUpload>"
        for part in parts {
            text += "<Part><PartNumber>\(part.number)</PartNumber><ETag>\(part.etag.xmlText ?? "")</ETag></Part>"
        }
        text += "</CompleteMultipartUpload>"
        var operation = OSSOperation(
            method: "POST", key: write.fullKey, query: [("uploadId", state.withLock(\.id))],
            headers: [("Content-Type", "application/xml")], isRepeatable: false, mayStall: true)
        if write.mode == .createOnly { operation.headers.append(OSSObjectStore.ifAbsent) }
        try await operation.send(.bytes(Array(text.utf8)))

        var retrier = Retrier(policy: client.options.retries)
        while true {
            do throws(ServiceFailure) {
                let response = try await client.attempt(operation)
                guard let root = XMLElement.parse(response.body), root.name == "CompleteMultipartUploadResult" else {
                    var failure = ServiceFailure(.corrupt, "the answer does not say that the object is made")
                    (failure.isRetryable, failure.mayHaveRun) = (true, true)
                    throw failure
                }
                if write.mode == .createOnly { store.noteVersions(response) }
                let tag = root["ETag"].flatMap { $0.isEmpty ? nil : OSSObjectStore.bareTag($0) }
                return ObjectInfo(key: write.key, sizeBytes: state.withLock(\.byteCount), etag: tag)
            } catch {
                let isGone = error.serviceCode == "NoSuchUpload" || error.code == .alreadyExists
                if isGone, retrier.mayHaveRun, let own = try await store.ownObject(write) { return own }
                try await retrier.wait(after: error)
            }
        }
    }

    // MARK: - Leaving nothing behind

    /// Removes the parts. Nothing that goes wrong here changes what the caller is told.
    func abandon() async {
        let id = state.withLock(\.id)
        if !id.isEmpty { await remove(id) }
        await removeStrays()
    }

    private func remove(_ id: String) async {
        do throws(ServiceFailure) {
            _ = try await client.perform(
                OSSOperation(method: "DELETE", key: write.fullKey, query: [("uploadId", id)]))
        } catch {
            return  // joined, removed before, or not reachable: the bucket's own rules tidy up
        }
    }

    /// The service gives the beginning of an upload in whole seconds.
    private static let clockTolerance: Duration = .seconds(2)

    /// Removes uploads of this key that began while ours did: the answer to one of our tries was lost, and its id.
    func removeStrays() async {
        let (id, begunAt, mayHaveStrays) = state.withLock { ($0.id, $0.begunAt, $0.mayHaveStrays) }
        guard mayHaveStrays else { return }
        let askedAt = ContinuousClock.now
        let response: HTTPResponse
        do throws(ServiceFailure) {
            let query = [("uploads", ""), ("prefix", write.fullKey), ("encoding-type", "url")]
            response = try await client.perform(
                OSSOperation(method: "GET", query: query.map { (name: $0.0, value: $0.1) })
            ).response
        } catch {
            return
        }
        // By the service's clock: the time that its answer bears, less what has passed here since. The answer may have
        // waited for this program, so its time is that of the question or later.
        guard let now = response.headers["date"].flatMap(ServiceDate.http),
            let root = XMLElement.parse(response.body)
        else { return }
        let earliest = now - (ContinuousClock.now - startedAt + Self.clockTolerance).timeInterval
        let latest = now - ((begunAt.map { askedAt - $0 } ?? .zero) - Self.clockTolerance).timeInterval
        for upload in root.all("Upload") {
            guard let key = upload["Key"].flatMap(root.decoded), ObjectKey(key) == ObjectKey(write.fullKey),
                let stray = upload["UploadId"], stray != id,
                let begun = upload["Initiated"].flatMap(ServiceDate.iso8601), begun >= earliest, begun <= latest
            else { continue }
            await remove(stray)
        }
    }
}

extension Duration {
    fileprivate var timeInterval: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
