import StorageURI
import Synchronization

/// The writing of one large object: its segments, and the manifest that makes them one.
final class SwiftLargeObject: Sendable {
    private struct State {
        /// The highest number of a segment that was begun.
        var lastNumber = 0
        /// True from when the manifest was sent until the service has said what became of it.
        var mayBeJoined = false
        /// True when a segment may have arrived though nobody saw it: it may even be written after it was removed.
        var mayArriveLate = false
    }

    private let store: SwiftObjectStore
    private let write: SwiftWrite
    /// What the segments' names begin with: of this write alone, so that no other's are overwritten.
    private let base: String
    private let state = Mutex(State())

    /// How long a call that is cancelled while the manifest is on its way waits for the answer.
    private static let grace: Duration = .seconds(5)
    /// How long a service may take to write what it was sent before the connection was closed.
    private static let latest: Duration = .seconds(2)
    /// Bytes of the key in a segment's name: for people, who find by them whose it is.
    private static let keyBytesInName = 900

    init(store: SwiftObjectStore, write: SwiftWrite) {
        self.store = store
        self.write = write
        let kept = write.fullKey.utf8.prefix(Self.keyBytesInName).map { byte in
            switch byte {
            // Services disagree on how others stand in a manifest.
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "/"):
                byte
            default: UInt8(ascii: "_")
            }
        }
        base = "\(String(decoding: kept, as: UTF8.self))/\(write.token)/"
    }

    private func name(_ number: Int) -> String {
        let digits = String(number)
        return base + String(repeating: "0", count: max(0, 5 - digits.count)) + digits
    }

    func send(_ body: HTTPBody, number: Int) async throws(ServiceFailure) -> SwiftSegment {
        state.withLock { $0.lastNumber = max($0.lastNumber, number) }
        let operation = try await SwiftOperation.upload(body, to: store.segments.object(name(number)))
        let response: HTTPResponse
        do throws(ServiceFailure) { response = try await store.client.perform(operation) } catch {
            if error.mayHaveRun { state.withLock { $0.mayArriveLate = true } }
            throw error
        }
        guard let etag = response.headers["etag"], !etag.isEmpty else {
            throw ServiceFailure(.corrupt, "the answer gives no tag for segment \(number)")
        }
        return SwiftSegment(name: name(number), etag: SwiftObjectStore.bareTag(etag), byteCount: body.count)
    }

    /// Makes the object of its segments. Once its manifest is under way, a cancellation waits a little for the answer:
    /// without it nobody knows whether the segments belong to an object.
    func join(_ segments: [SwiftSegment]) async throws(ServiceFailure) -> ObjectInfo {
        var operation = SwiftOperation(
            method: "PUT", target: store.client.object(write.fullKey), query: [("multipart-manifest", "put")],
            headers: [("Content-Type", "application/octet-stream")] + write.headers,
            body: .bytes(try store.segments.manifest(segments)), isRepeatable: write.mode == .overwrite, mayStall: true)
        operation.responseLimit = 1 << 20
        let manifest = operation
        let task = Task.detached { () -> Result<HTTPResponse, ServiceFailure> in
            do throws(ServiceFailure) { return .success(try await self.store.client.perform(manifest)) } catch {
                return .failure(error)
            }
        }
        state.withLock { $0.mayBeJoined = true }
        let result = await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            Task.detached {
                try? await Task.sleep(for: Self.grace)
                task.cancel()
            }
        }
        let byteCount = segments.reduce(0) { $0 + $1.byteCount }
        switch result {
        case .success(let response):
            state.withLock { $0.mayBeJoined = false }
            if await store.isOverwritten(write) {
                throw ServiceFailure(.alreadyExists, "written by another at the same moment")
            }
            let tag = response.headers["etag"].map(SwiftObjectStore.bareTag)
            return ObjectInfo(key: write.key, sizeBytes: byteCount, etag: tag)
        case .failure(let failure):
            if failure.mayHaveRun, failure.status != 0, let own = try await store.ownObject(write) { return own }
            // A refusal is an answer; what fails on the service's side may have been done, or be done later.
            if failure.status != 0, failure.status < 500 { state.withLock { $0.mayBeJoined = false } }
            throw failure
        }
    }

    /// Removes the segments, unless an object may have been made of them.
    func abandon() async {
        let state = state.withLock { $0 }
        guard !state.mayBeJoined, state.lastNumber > 0 else { return }
        let names = (1...state.lastNumber).map(name)
        await store.segments.remove(names)
        guard state.mayArriveLate else { return }
        try? await Task.sleep(for: Self.latest)  // nobody cancels this task
        await store.segments.remove(names)
    }
}

extension SwiftObjectStore {
    /// Writes an object in segments, several at a time, and joins them. Whatever goes wrong, the segments are removed.
    func putSegments(
        _ write: SwiftWrite, _ first: HTTPBody, _ parts: inout PartSource
    ) async throws(ServiceFailure) -> ObjectInfo {
        try await segments.make()
        let object = SwiftLargeObject(store: self, write: write)
        do throws(ServiceFailure) {
            let sent = try await sendParts(
                first, &parts, places: uploads, concurrency: client.options.uploadConcurrency
            ) { (body, number) async throws(ServiceFailure) in try await object.send(body, number: number) }
            return try await object.join(sent)
        } catch {
            // Not in this task, which may be cancelled: what was sent costs money until it is removed.
            await regardlessOfCancellation { await object.abandon() }
            throw error
        }
    }
}
