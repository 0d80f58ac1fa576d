import FoundationEssentials
import StorageURI
import Synchronization

/// One multipart upload: its beginning, its parts, its end.
final class S3Upload: Sendable {
    struct Part: Sendable {
        let number: Int
        let etag: String
        /// Where the service compares checksums.
        let checksum: S3Payload.Checksum?
    }

    private struct State {
        /// Given by the service once it has begun.
        var id = ""
        var begunAt: ContinuousClock.Instant?
        /// True when an upload may have begun whose id did not reach us.
        var mayHaveStrays = false
        /// Whether the service compares checksums of parts; it says so when the upload begins.
        var comparesChecksums = false
        /// What the parts sent have in all.
        var byteCount = 0
    }

    private let store: S3ObjectStore
    private let write: S3Write
    private let startedAt = ContinuousClock.now
    private let state = Mutex(State())

    init(store: S3ObjectStore, write: S3Write) {
        self.store = store
        self.write = write
    }

    private var client: S3Client { store.client }

    func begin() async throws(ServiceFailure) {
        var operation = S3Operation(
            method: "POST", key: write.fullKey, query: [("uploads", "")],
            headers: store.creationHeaders + [write.tokenHeader], isRepeatable: false)
        let algorithm = S3Payload.checksumAlgorithm(isSigned: client.options.signsPayload)
        if store.sendsChecksums { operation.headers.append(("x-amz-checksum-algorithm", algorithm)) }
        do throws(ServiceFailure) {
            let answer = try await client.perform(operation)
            let id = XMLElement.parse(answer.response.body)?["UploadId"] ?? ""
            state.withLock { state in
                state.id = id
                state.begunAt = .now
                state.comparesChecksums = answer.response.headers["x-amz-checksum-algorithm"] == algorithm
                state.mayHaveStrays = answer.mayHaveRunBefore || id.isEmpty
            }
            guard !id.isEmpty else { throw ServiceFailure(.corrupt, "the answer gives no id for the upload") }
        } catch {
            if error.mayHaveRun { state.withLock { $0.mayHaveStrays = true } }
            throw error
        }
    }

    func send(_ body: HTTPBody, number: Int) async throws(ServiceFailure) -> Part {
        let (id, isCompared) = state.withLock { ($0.id, $0.comparesChecksums) }
        let payload = try await store.digesting(body, isCompared: isCompared)
        let checksum = isCompared && store.sendsChecksums ? payload.checksum : nil
        let operation = S3Operation(
            method: "PUT", key: write.fullKey, query: [("partNumber", String(number)), ("uploadId", id)],
            headers: store.customerKeyHeaders + [checksum?.header].compactMap(\.self), payload: payload)
        let response = try await client.perform(operation).response
        guard let etag = response.headers["etag"], !etag.isEmpty, etag.xmlText != nil else {
            throw ServiceFailure(.corrupt, "the answer gives no tag for part \(number)")
        }
        state.withLock { $0.byteCount += body.count }
        return Part(number: number, etag: etag, checksum: checksum)
    }

    /// Makes the object of its parts.
    func join(_ parts: [Part]) async throws(ServiceFailure) -> ObjectInfo {
        // Some services honour the condition for whole objects only.
        if write.mode == .createOnly, !client.options.endpoint.isAmazon, try await store.exists(write.fullKey) {
            throw ServiceFailure(.alreadyExists, "")
        }
        var text = "<CompleteMultipartUpload>"
        for part in parts {
            text += "<Part><PartNumber>\(part.number)</PartNumber><ETag>\(part.etag.xmlText ?? "")</ETag>"
            if let checksum = part.checksum {
                text += "<Checksum\(checksum.algorithm)>\(checksum.value)</Checksum\(checksum.algorithm)>"
            }
            text += "</Part>"
        }
        text += "</CompleteMultipartUpload>"
        let payload = try await S3Payload.digesting(.bytes(Array(text.utf8)), isSigned: true, needsMD5: false)
        var operation = S3Operation(
            method: "POST", key: write.fullKey, query: [("uploadId", state.withLock(\.id))],
            headers: [("Content-Type", "application/xml")], payload: payload, isRepeatable: false, mayStall: true)
        if write.mode == .createOnly { operation.headers.append(S3ObjectStore.ifAbsent) }

        var retrier = Retrier(policy: client.options.retries)
        while true {
            do throws(ServiceFailure) {
                let response = try await client.attempt(operation)
                // Services begin their answer before they know how it ends.
                guard let root = XMLElement.parse(response.body), root.name == "CompleteMultipartUploadResult" else {
                    var failure = ServiceFailure(s3: response)
                    if failure.serviceCode.isEmpty { failure.isRetryable = true }
                    throw failure
                }
                let tag = root["ETag"].flatMap { $0.isEmpty ? nil : S3ObjectStore.bareTag($0) }
                return ObjectInfo(key: write.key, sizeBytes: state.withLock(\.byteCount), etag: tag)
            } catch {
                if operation.headers.contains(where: { $0.name == S3ObjectStore.ifAbsent.name }),
                    store.isConditionRefused(error)
                {
                    operation.headers.removeAll { $0.name == S3ObjectStore.ifAbsent.name }
                    if try await store.exists(write.fullKey) { throw ServiceFailure(.alreadyExists, "") }
                    continue
                }
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
                S3Operation(method: "DELETE", key: write.fullKey, query: [("uploadId", id)]))
        } catch {
            return  // joined, removed before, or not reachable: the bucket's own rules tidy up
        }
    }

    /// Services give the beginning of an upload in whole seconds, some of them rounded.
    private static let clockTolerance: Duration = .seconds(2)

    /// Removes uploads of this key that began while ours did: the answer to one of our tries was lost, and its id.
    func removeStrays() async {
        let (id, begunAt, mayHaveStrays) = state.withLock { ($0.id, $0.begunAt, $0.mayHaveStrays) }
        guard mayHaveStrays else { return }
        let askedAt = ContinuousClock.now
        let response: HTTPResponse
        do throws(ServiceFailure) {
            response = try await client.perform(
                S3Operation(method: "GET", query: [("uploads", ""), ("prefix", write.fullKey)])
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
            guard let key = upload["Key"], ObjectKey(key) == ObjectKey(write.fullKey), let stray = upload["UploadId"],
                stray != id, let begun = upload["Initiated"].flatMap(ServiceDate.iso8601),
                begun >= earliest, begun <= latest
            else { continue }
            await remove(stray)
        }
    }
}

extension Duration {
    fileprivate var timeInterval: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
