import Digests
import StorageURI
import Synchronization

extension GoogleCloudObjectStore {
    /// Writes an object by a session, chunk after chunk: the next one is read while one is sent. Whatever goes wrong,
    /// the session is ended.
    func putInChunks(
        _ write: GoogleCloudWrite, _ first: HTTPBody, _ parts: inout PartSource
    ) async throws(ServiceFailure) -> ObjectInfo {
        let upload = GoogleCloudUpload(store: self, write: write)
        do {
            try await upload.begin()
            var chunk = first
            while true {
                let body = chunk
                let isLast = parts.isAtEnd
                if isLast { try await look(before: write) }
                try await uploads.acquire()
                async let sending = upload.sendAndRelease(body, isLast: isLast)
                let next = try await parts.next()
                if let object = try await sending { return write.info(object) }
                guard let next else { throw ServiceFailure(.corrupt, "the upload does not end") }
                chunk = next
            }
        } catch {
            // Not in this task, which may be cancelled.
            await regardlessOfCancellation { await upload.abandon() }
            throw error as? ServiceFailure ?? .cancelled(error)
        }
    }
}

/// One resumable upload: a session with the service, in which chunks follow each other.
///
/// A session whose address does not reach us holds nothing, makes no object and ends by itself.
final class GoogleCloudUpload: Sendable {
    private struct State {
        /// Path and query of the session; nil before it has begun, and once it has ended.
        var session: String?
        /// How much the service has for good.
        var offset = 0
        var digest = CRC32C()
    }

    private let store: GoogleCloudObjectStore
    private let write: GoogleCloudWrite
    private let state = Mutex(State())

    init(store: GoogleCloudObjectStore, write: GoogleCloudWrite) {
        self.store = store
        self.write = write
    }

    private var client: GoogleCloudClient { store.client }

    func begin() async throws(ServiceFailure) {
        let description = try GoogleCloudForm.encode(write.description(nil))
        let operation = GoogleCloudOperation(
            method: "POST", target: client.uploadTarget([("uploadType", "resumable")] + write.condition),
            headers: [
                ("Content-Type", "application/json; charset=UTF-8"),
                ("X-Upload-Content-Type", "application/octet-stream"),
            ] + client.options.encryptionHeaders, body: .bytes(description))
        let response = try await client.perform(operation)
        guard let session = response.headers["location"].flatMap(Self.target) else {
            throw ServiceFailure(.corrupt, "the answer does not say where to send the object to")
        }
        state.withLock { $0.session = session }
    }

    /// Path and query of a URL. Its host is left out: a token goes nowhere but to the endpoint.
    static func target(_ url: String) -> String? {
        guard let scheme = url.firstRange(of: "://") else { return url.hasPrefix("/") ? url : nil }
        let rest = url[scheme.upperBound...]
        return rest.firstIndex(of: "/").map { String(rest[$0...]) }
    }

    /// Sends a chunk, and gives its place back.
    func sendAndRelease(_ body: HTTPBody, isLast: Bool) async throws(ServiceFailure) -> GoogleCloudObject? {
        defer { store.uploads.release() }
        return try await send(body, isLast: isLast)
    }

    /// Sends a chunk, and what of it is missing until the service has all of it.
    ///
    /// - Returns: With the last one, the object.
    private func send(_ body: HTTPBody, isLast: Bool) async throws(ServiceFailure) -> GoogleCloudObject? {
        let (start, before) = state.withLock { ($0.offset, $0.digest) }
        let end = start + body.count
        let digest = try await BodyDigests.compute(body, crc32c: before).crc32c ?? before
        var stored = start
        // After a failure the service is asked how far it came.
        var mustAsk = false
        var retrier = Retrier(policy: client.options.retries)
        while true {
            do throws(ServiceFailure) {
                let rest = mustAsk || stored == end ? nil : body.dropping(stored - start)
                let response = try await exchange(rest, from: stored, to: end, isLast: isLast, digest)
                if response.status != GoogleCloudClient.resumeIncomplete {
                    guard isLast else { throw ServiceFailure(.corrupt, "the service ended the upload before its end") }
                    state.withLock { $0.session = nil }
                    let object = try GoogleCloudObject.parse(response)
                    try await store.confirm(object, digest, write)
                    guard object.sizeBytes == end else {
                        throw ServiceFailure(.corrupt, "\(object.sizeBytes) bytes were stored, and \(end) sent")
                    }
                    return object
                }
                var count = try Self.storedCount(response)
                // It keeps whole units, and wants to go on at one: what it has beyond is passed over when sent again.
                if count != end { count -= count % GoogleCloudSettings.chunkUnit }
                guard (start...end).contains(count) else {
                    throw ServiceFailure(.unavailable, "the service has \(count) bytes of an upload, and not \(stored)")
                }
                let hasMoved = count > stored
                stored = count
                if hasMoved { retrier.noteProgress() }
                if stored == end, !isLast {
                    state.withLock { ($0.offset, $0.digest) = (end, digest) }
                    return nil
                }
                if !hasMoved, !mustAsk || stored == end {
                    var failure = ServiceFailure(.unavailable, "the service takes no more of the upload")
                    failure.isRetryable = true
                    throw failure
                }
                mustAsk = false
            } catch {
                // To be sent anew as a whole, which is not for a stream to do.
                if error.isBadDigest { throw ServiceFailure(.unavailable, error.detail) }
                // The object is there, or was when the answer got lost.
                let isOver = error.code == .alreadyExists || error.code == .notFound || error.status == 410
                if isLast, isOver, error.mayHaveRun || retrier.mayHaveRun,
                    let own = try await store.ownObject(write, digest)
                {
                    state.withLock { $0.session = nil }
                    return own
                }
                if error.code == .notFound || error.status == 410, !error.isContainerMissing {
                    throw ServiceFailure(.unavailable, "the service has lost the upload")
                }
                mustAsk = true
                try await retrier.wait(after: error)
            }
        }
    }

    /// Sends bytes from an offset on; without bytes asks how far the service came.
    private func exchange(
        _ body: HTTPBody?, from offset: Int, to end: Int, isLast: Bool, _ digest: CRC32C
    ) async throws(ServiceFailure) -> HTTPResponse {
        let total = isLast ? String(end) : "*"
        let span = body == nil ? "*" : "\(offset)-\(end - 1)"
        var headers = client.options.encryptionHeaders + [("Content-Range", "bytes \(span)/\(total)")]
        // Compared by the service with all that it has received.
        if isLast { headers.append(("x-goog-hash", "crc32c=\(digest.base64)")) }
        return try await client.attempt(
            GoogleCloudOperation(
                method: "PUT", target: state.withLock(\.session) ?? "", headers: headers, body: body ?? .none,
                isRepeatable: false, isSession: true))
    }

    /// How many bytes an answer says that the service has: `bytes=0-1048575`; without a range none.
    private static func storedCount(_ response: HTTPResponse) throws(ServiceFailure) -> Int {
        guard let text = response.headers["range"] else { return 0 }
        guard let last = text.split(separator: "-").last.flatMap({ Int($0) }), last >= 0, last < Int.max else {
            throw ServiceFailure(.corrupt, "the service does not say what it has of the upload: \(text)")
        }
        return last + 1
    }

    /// Ends the session. Nothing that goes wrong here changes what the caller is told: sessions end by themselves.
    func abandon() async {
        guard let session = state.withLock(\.session) else { return }
        do throws(ServiceFailure) {
            _ = try await client.perform(
                GoogleCloudOperation(
                    method: "DELETE", target: session, headers: client.options.encryptionHeaders, isSession: true))
        } catch {
            return  // 499 is the answer to a session that was ended
        }
    }
}

extension HTTPBody {
    /// What is behind the first bytes.
    fileprivate func dropping(_ count: Int) -> HTTPBody {
        switch self {
        case .none: .none
        case .bytes(let bytes, let range): .bytes(bytes, range.lowerBound + count..<range.upperBound)
        case .file(let region):
            .file(FileRegion(file: region.file, offset: region.offset + count, count: region.count - count))
        }
    }
}
