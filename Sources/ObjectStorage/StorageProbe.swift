import StorageURI

/// Proves that a storage can do what is needed of it, with small objects that are removed again.
public enum StorageProbe {
    /// One thing that is tried.
    public enum Step: String, Sendable, CaseIterable {
        case write
        case createIfAbsent = "create-if-absent"
        case rangedRead = "ranged read"
        case list
        case largeObject = "large object"
        case clock
        case delete
    }

    public struct Fact: Sendable {
        public let step: Step
        public let ok: Bool
        /// How it went, for people.
        public let detail: String
        public let error: ObjectStoreError?

        public var name: String { step.rawValue }
    }

    /// What a large object has: enough for several parts, whatever the storage takes for one.
    public static let largeObjectBytes = 64 << 20

    /// The most that two clocks may differ without a word: services take signatures of up to 15 minutes' difference.
    static let clockTolerance: Duration = .seconds(60)

    /// Tries everything in turn, and stops where the rest cannot work. Leaves no object behind, cancelled or not.
    ///
    /// - Parameter isThorough: Also writes an object of `largeObjectBytes` and reads it back.
    public static func run(_ store: any ObjectStore, isThorough: Bool = false) async -> [Fact] {
        let random = String(UInt64.random(in: 0 ... .max), radix: 36)
        var probe = Probe(store: store, prefix: ".zenith-probe-\(random)")
        return await probe.run(isThorough: isThorough)
    }
}

private struct Probe {
    let store: any ObjectStore
    let prefix: String
    let keys: [ObjectKey]
    let largeKey: ObjectKey
    let content = Array("What Zenith writes to see whether it can; it may be removed.\n".utf8)
    var facts: [StorageProbe.Fact] = []

    init(store: any ObjectStore, prefix: String) {
        self.store = store
        self.prefix = prefix
        keys = ["\(prefix)-1", "\(prefix)-2"].map { ObjectKey($0) }
        largeKey = ObjectKey("\(prefix)-large")
    }

    mutating func run(isThorough: Bool) async -> [StorageProbe.Fact] {
        let wrote = await write()
        if wrote {
            await refuseOverwrite()
            await readRange()
            await list()
            if isThorough { await writeLarge() }
        }
        compareClocks()
        await delete(wrote: wrote, isThorough: isThorough)
        return facts
    }

    private mutating func note(
        _ step: StorageProbe.Step, _ ok: Bool, _ detail: String, _ error: ObjectStoreError? = nil
    ) {
        facts.append(StorageProbe.Fact(step: step, ok: ok, detail: detail, error: error))
    }

    private mutating func write() async -> Bool {
        do throws(ObjectStoreError) {
            try await store.put(keys[0], .bytes(content), mode: .createOnly)
            note(.write, true, "\(content.count) bytes")
            return true
        } catch {
            note(.write, false, error.description, error)
            return false
        }
    }

    private mutating func refuseOverwrite() async {
        do throws(ObjectStoreError) {
            try await store.put(keys[0], .bytes([0]), mode: .createOnly)
            note(
                .createIfAbsent, false,
                "an object that was there was overwritten: two writers would not notice each other")
            // For what follows, as it was.
            try await store.put(keys[0], .bytes(content), mode: .overwrite)
        } catch {
            if error.code != .alreadyExists { return note(.createIfAbsent, false, error.description, error) }
            note(
                .createIfAbsent, true,
                store.createsAtomically
                    ? "an object that is there is not overwritten"
                    : "checked before writing, as the storage has no such operation: keep to one writer")
        }
    }

    private mutating func readRange() async {
        do throws(ObjectStoreError) {
            let range = 5..<17
            let bytes = try await store.get(keys[0], range: range)
            let ok = bytes == Array(content[range])
            note(
                .rangedRead, ok, ok ? "\(range.count) bytes" : "other bytes than were written: \(bytes.count) of them")
        } catch { note(.rangedRead, false, error.description, error) }
    }

    /// Two objects, by pages of one.
    private mutating func list() async {
        do throws(ObjectStoreError) {
            try await store.put(keys[1], .bytes(content), mode: .overwrite)
            var found: [ObjectInfo] = []
            var after: ObjectKey?
            repeat {
                let page = try await store.list(prefix: prefix, delimiter: nil, after: after, limit: 1)
                found += page.objects
                after = page.next
            } while after != nil && found.count <= keys.count
            let ok = found.map(\.key) == keys && found.allSatisfy { $0.sizeBytes == content.count }
            note(
                .list, ok,
                ok
                    ? "two objects, by pages of one"
                    : "two objects were written, and the listing has \(found.map { "\($0.key): \($0.sizeBytes) bytes" })"
            )
        } catch { note(.list, false, error.description, error) }
    }

    private mutating func writeLarge() async {
        let size = StorageProbe.largeObjectBytes
        do throws(ObjectStoreError) {
            let info = try await store.put(largeKey, LargeContent(sizeBytes: size).body, mode: .createOnly)
            guard info.sizeBytes == size else {
                return note(.largeObject, false, "\(size) bytes were written, and \(info.sizeBytes) arrived")
            }
            for start in stride(from: 0, to: size, by: LargeContent.pieceBytes) {
                let end = min(size, start + LargeContent.pieceBytes)
                guard try await store.get(largeKey, range: start..<end) == LargeContent.bytes(start..<end) else {
                    return note(.largeObject, false, "other bytes than were written, behind byte \(start)")
                }
            }
            note(.largeObject, true, "\(size >> 20) MiB written and read back")
        } catch { note(.largeObject, false, error.description, error) }
    }

    private mutating func compareClocks() {
        guard let offset = store.clockOffset else { return }
        let seconds = offset.components.seconds
        let isAhead = seconds >= 0
        let ok = (isAhead ? offset : .zero - offset) <= StorageProbe.clockTolerance
        note(
            .clock, ok,
            ok
                ? "the service's agrees with this machine's"
                : "the service's is \(abs(seconds)) s \(isAhead ? "ahead of" : "behind") this machine's: set it, "
                    + "as requests are refused from 15 minutes on")
    }

    /// Done even when writing failed, as it may have been done all the same; and in a task of its own, so that
    /// cancelling the check does not leave objects behind.
    private mutating func delete(wrote: Bool, isThorough: Bool) async {
        let (store, keys) = (store, isThorough ? keys + [largeKey] : keys)
        let failure = await Task.detached { () -> ObjectStoreError? in
            do throws(ObjectStoreError) {
                try await store.delete(keys)
                return try await store.exists(keys[0])
                    ? ObjectStoreError(.corrupt, "\(store.location): delete \(keys[0]): it is still there") : nil
            } catch { return error }
        }.value
        guard wrote else { return }
        note(.delete, failure == nil, failure?.description ?? "gone", failure)
    }
}

/// Bytes of which no two pieces are alike, made as they are asked for.
private struct LargeContent: AsyncSequence, Sendable {
    typealias Element = [UInt8]
    typealias Failure = any Error

    static let pieceBytes = 4 << 20
    let sizeBytes: Int

    var body: ObjectBody { .stream(self) }

    static func bytes(_ range: Range<Int>) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: range.count) { buffer, initializedCount in
            for index in range {
                // The position, stirred (the finalizer of MurmurHash3).
                var value = UInt64(index) &* 0xFF51_AFD7_ED55_8CCD
                value ^= value >> 33
                buffer[index - range.lowerBound] = UInt8(truncatingIfNeeded: value)
            }
            initializedCount = range.count
        }
    }

    func makeAsyncIterator() -> Iterator { Iterator(sizeBytes: sizeBytes) }

    struct Iterator: AsyncIteratorProtocol {
        fileprivate let sizeBytes: Int
        private var offset = 0

        fileprivate init(sizeBytes: Int) { self.sizeBytes = sizeBytes }

        mutating func next() async throws -> [UInt8]? { try await next(isolation: nil) }

        mutating func next(isolation actor: isolated (any Actor)?) async throws -> [UInt8]? {
            guard offset < sizeBytes else { return nil }
            let end = Swift.min(sizeBytes, offset + LargeContent.pieceBytes)
            defer { offset = end }
            return LargeContent.bytes(offset..<end)
        }
    }
}
