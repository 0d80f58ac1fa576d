public import StorageURI
import Synchronization

/// A store that fails where a test tells it to, in front of one that works.
///
/// A test that wants to see every failure counts the operations of a run without faults (`operationCount`), and then
/// runs once for each with a fault at it.
public final class FaultInjectingStore: ObjectStore {
    public enum Operation: Sendable, CaseIterable { case head, get, put, list, delete }

    /// What goes wrong.
    public enum Kind: Sendable {
        /// Refused before anything is done.
        case refused(ObjectStoreError.Code)
        /// Done, but the answer was lost: the caller sees `.unavailable`.
        case lostAnswer
        /// The process dies before this operation: it and all that follow fail.
        case crashBefore
        /// The process dies after this operation was done, and before its answer.
        case crashAfter
        /// A `get` whose bytes have one bit flipped in their middle. Nothing else is affected.
        case flippedBit
        /// A `get` that ends one byte early. Nothing else is affected.
        case truncated
    }

    /// Which operation goes wrong, and how.
    public struct Fault: Sendable {
        public var kind: Kind
        /// Nil: any operation counts.
        public var operation: Operation?
        /// Only operations on a key (or listings of a prefix) that contains this count; nil: all.
        public var keyContains: String?
        /// The first operation that fails, counting from 1 those that match.
        public var nth: Int
        /// How many in a row fail.
        public var count: Int

        public init(
            _ kind: Kind, _ operation: Operation? = nil, keyContains: String? = nil, nth: Int = 1, count: Int = 1
        ) {
            self.kind = kind
            self.operation = operation
            self.keyContains = keyContains
            self.nth = nth
            self.count = count
        }

        fileprivate func matches(_ operation: Operation, _ keys: [String]) -> Bool {
            (self.operation ?? operation) == operation
                && (keyContains.map { part in keys.contains { $0.contains(part) } } ?? true)
        }
    }

    /// One operation as it came in.
    public struct Record: Sendable, Equatable {
        public let operation: Operation
        /// The keys, or the prefix of a listing.
        public let keys: [String]
    }

    private struct State {
        var faults: [(fault: Fault, seenCount: Int)] = []
        var records: [Record] = []
        var hasCrashed = false
    }
    private let state = Mutex(State())
    private let store: any ObjectStore

    public var location: StorageLocation { store.location }
    public var createsAtomically: Bool { store.createsAtomically }

    public init(_ store: any ObjectStore, faults: [Fault] = []) {
        self.store = store
        for fault in faults { add(fault) }
    }

    public func add(_ fault: Fault) { state.withLock { $0.faults.append((fault, 0)) } }

    /// All operations so far, in the order in which they began.
    public var records: [Record] { state.withLock { $0.records } }
    public var operationCount: Int { state.withLock { $0.records.count } }
    public var hasCrashed: Bool { state.withLock { $0.hasCrashed } }

    /// As after a restart: no fault is left, and operations work again.
    public func recover() { state.withLock { $0 = State() } }

    public func head(_ key: ObjectKey) async throws(ObjectStoreError) -> ObjectInfo {
        try await run(.head, [key.text]) { store throws(ObjectStoreError) in try await store.head(key) }
    }

    public func get(_ key: ObjectKey, range: Range<Int>?) async throws(ObjectStoreError) -> [UInt8] {
        let kind = try begin(.get, [key.text])
        var bytes = try await store.get(key, range: range)
        switch kind {
        case .flippedBit?: if !bytes.isEmpty { bytes[bytes.count / 2] ^= 0x10 }
        case .truncated?: _ = bytes.popLast()
        default: break
        }
        try end(kind, .get, [key.text])
        return bytes
    }

    @discardableResult
    public func put(
        _ key: ObjectKey, _ body: ObjectBody, mode: PutMode
    ) async throws(ObjectStoreError) -> ObjectInfo {
        try await run(.put, [key.text]) { store throws(ObjectStoreError) in
            try await store.put(key, body, mode: mode)
        }
    }

    public func list(
        prefix: String, delimiter: String?, after: ObjectKey?, limit: Int
    ) async throws(ObjectStoreError) -> ObjectListing {
        try await run(.list, [prefix]) { store throws(ObjectStoreError) in
            try await store.list(prefix: prefix, delimiter: delimiter, after: after, limit: limit)
        }
    }

    public func delete(_ keys: [ObjectKey]) async throws(ObjectStoreError) {
        try await run(.delete, keys.map(\.text)) { store throws(ObjectStoreError) in try await store.delete(keys) }
    }

    private func run<Value>(
        _ operation: Operation, _ keys: [String],
        _ body: (any ObjectStore) async throws(ObjectStoreError) -> Value
    ) async throws(ObjectStoreError) -> Value {
        let kind = try begin(operation, keys)
        let value = try await body(store)
        try end(kind, operation, keys)
        return value
    }

    /// Notes the operation; throws when it is not to be done. Returns what is to happen after it.
    private func begin(_ operation: Operation, _ keys: [String]) throws(ObjectStoreError) -> Kind? {
        let kind: Kind? = state.withLock { state in
            state.records.append(Record(operation: operation, keys: keys))
            if state.hasCrashed { return .crashBefore }
            var hit: Kind?
            for index in state.faults.indices where state.faults[index].fault.matches(operation, keys) {
                state.faults[index].seenCount += 1
                let (fault, seenCount) = state.faults[index]
                if hit == nil, seenCount >= fault.nth, seenCount - fault.nth < fault.count { hit = fault.kind }
            }
            if case .crashBefore? = hit { state.hasCrashed = true }
            return hit
        }
        switch kind {
        case .refused(let code)?: throw failure(code, operation, keys, "refused")
        case .crashBefore?: throw failure(.unavailable, operation, keys, "crashed")
        default: return kind
        }
    }

    private func end(_ kind: Kind?, _ operation: Operation, _ keys: [String]) throws(ObjectStoreError) {
        switch kind {
        case .lostAnswer?: throw failure(.unavailable, operation, keys, "the answer was lost")
        case .crashAfter?:
            state.withLock { $0.hasCrashed = true }
            throw failure(.unavailable, operation, keys, "crashed")
        default:
            // Begun before the crash and done after it: nobody is there to hear of it.
            if hasCrashed { throw failure(.unavailable, operation, keys, "crashed") }
        }
    }

    private func failure(
        _ code: ObjectStoreError.Code, _ operation: Operation, _ keys: [String], _ reason: String
    ) -> ObjectStoreError {
        ObjectStoreError(code, "\(location): \(operation) \(keys.joined(separator: ", ")): \(reason) (injected)")
    }
}
