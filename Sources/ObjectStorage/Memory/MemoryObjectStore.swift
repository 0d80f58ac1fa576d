import Glibc
public import StorageURI
import Synchronization
import SystemPackage

/// Objects in this process's memory, for tests: with the semantics of an object store, and not those of a file system.
public final class MemoryObjectStore: ObjectStore {
    private struct Content {
        var objects: [ObjectKey: [UInt8]] = [:]
        /// The objects' keys in their order, made when a listing needs it.
        var sortedKeys: [ObjectKey]?
    }
    private let content = Mutex(Content())

    public let location: StorageLocation
    public var createsAtomically: Bool { true }

    public init(location: StorageLocation = StorageLocation(scheme: .file, container: "", path: "/memory")) {
        self.location = location
    }

    // MARK: What a test looks at and tampers with

    public var keys: [ObjectKey] { content.withLock { $0.objects.keys.sorted() } }

    public func bytes(_ key: ObjectKey) -> [UInt8]? { content.withLock { $0.objects[key] } }

    /// Puts, changes or (with nil) removes an object behind the store's back.
    public func replace(_ key: ObjectKey, with bytes: [UInt8]?) {
        content.withLock { content in
            if content.objects.updateOrRemove(bytes, key) { content.sortedKeys = nil }
        }
    }

    // MARK: ObjectStore

    public func head(_ key: ObjectKey) async throws(ObjectStoreError) -> ObjectInfo {
        ObjectInfo(key: key, sizeBytes: try find(key, "head").count)
    }

    public func get(_ key: ObjectKey, range: Range<Int>?) async throws(ObjectStoreError) -> [UInt8] {
        if let range, range.lowerBound < 0 { throw invalid("get \(key): the range \(range) begins below 0") }
        let bytes = try find(key, "get")
        guard let range else { return bytes }
        return Array(bytes[range.clamped(to: 0..<bytes.count)])
    }

    @discardableResult
    public func put(
        _ key: ObjectKey, _ body: ObjectBody, mode: PutMode
    ) async throws(ObjectStoreError) -> ObjectInfo {
        try check(key, "put")
        let bytes = try await read(body, for: key)
        if Task.isCancelled {
            throw ObjectStoreError(.unavailable, "\(location): put \(key)", cause: CancellationError())
        }
        let isTaken = content.withLock { content in
            if mode == .createOnly, content.objects[key] != nil { return true }
            if content.objects.updateOrRemove(bytes, key) { content.sortedKeys = nil }
            return false
        }
        if isTaken { throw ObjectStoreError(.alreadyExists, "\(location): put \(key): the object exists already") }
        return ObjectInfo(key: key, sizeBytes: bytes.count)
    }

    public func list(
        prefix: String, delimiter: String?, after: ObjectKey?, limit: Int
    ) async throws(ObjectStoreError) -> ObjectListing {
        guard limit > 0 else { throw invalid("list \(prefix): a limit of \(limit)") }
        if delimiter == "" { throw invalid("list \(prefix): an empty delimiter") }
        return content.withLock { content in
            let keys = content.sortedKeys ?? content.objects.keys.sorted()
            content.sortedKeys = keys
            var listing = ObjectListing()
            var last = ""
            for key in keys[firstIndex(in: keys, notBefore: max(ObjectKey(prefix), after ?? ""))...] {
                guard key.text.utf8.starts(with: prefix.utf8) else { break }
                let rolledUp = commonPrefix(of: key, prefix, delimiter)
                let entry = rolledUp ?? key.text
                guard ObjectKey(entry) > after ?? "", ObjectKey(entry) != ObjectKey(last) else { continue }
                if listing.objects.count + listing.commonPrefixes.count == limit {
                    listing.next = ObjectKey(last)
                    break
                }
                last = entry
                if let rolledUp {
                    listing.commonPrefixes.append(rolledUp)
                } else {
                    listing.objects.append(ObjectInfo(key: key, sizeBytes: content.objects[key]?.count ?? 0))
                }
            }
            return listing
        }
    }

    public func delete(_ keys: [ObjectKey]) async throws(ObjectStoreError) {
        for key in keys { try check(key, "delete") }
        content.withLock { content in
            for key in keys where content.objects.updateOrRemove(nil, key) { content.sortedKeys = nil }
        }
    }

    // MARK: Parts

    private func find(_ key: ObjectKey, _ what: String) throws(ObjectStoreError) -> [UInt8] {
        try check(key, what)
        guard let bytes = bytes(key) else {
            throw ObjectStoreError(.notFound, "\(location): \(what) \(key): no such object")
        }
        return bytes
    }

    private func read(_ body: ObjectBody, for key: ObjectKey) async throws(ObjectStoreError) -> [UInt8] {
        do {
            switch body {
            case .bytes(let bytes): return bytes
            case .file(let path): return try await BlockingWork.run { _ in try Self.readFile(path) }
            case .stream(let pieces):
                var bytes: [UInt8] = []
                for try await piece in pieces { bytes += piece }
                return bytes
            }
        } catch let error as ObjectStoreError {
            throw error
        } catch {
            let code: ObjectStoreError.Code = error is CancellationError ? .unavailable : .invalid
            throw ObjectStoreError(code, "\(location): put \(key): its content", cause: error)
        }
    }

    private static func readFile(_ path: String) throws -> [UInt8] {
        let file = try Descriptor.open(path, O_RDONLY)
        let sizeBytes = Int(try file.status().st_size)
        return try [UInt8](unsafeUninitializedCapacity: sizeBytes) { buffer, initializedCount in
            initializedCount = try file.read(into: UnsafeMutableRawBufferPointer(buffer), at: 0)
        }
    }

    private func check(_ key: ObjectKey, _ what: String) throws(ObjectStoreError) {
        guard (1...1024).contains(key.text.utf8.count) else {
            throw invalid("\(what) \(key): a key has 1 to 1,024 bytes")
        }
    }

    private func invalid(_ action: String) -> ObjectStoreError { ObjectStoreError(.invalid, "\(location): \(action)") }

    private func commonPrefix(of key: ObjectKey, _ prefix: String, _ delimiter: String?) -> String? {
        guard let delimiter else { return nil }
        let (bytes, mark) = (Array(key.text.utf8), Array(delimiter.utf8))
        var index = prefix.utf8.count
        while index + mark.count <= bytes.count {
            if bytes[index...].starts(with: mark) {
                return String(decoding: bytes[..<(index + mark.count)], as: UTF8.self)
            }
            index += 1
        }
        return nil
    }

    private func firstIndex(in keys: [ObjectKey], notBefore bound: ObjectKey) -> Int {
        var (low, high) = (0, keys.count)
        while low < high {
            let middle = (low + high) / 2
            if keys[middle] < bound { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

extension Dictionary {
    /// Sets or removes. True when a key came or went.
    fileprivate mutating func updateOrRemove(_ value: Value?, _ key: Key) -> Bool {
        let had = self[key] != nil
        self[key] = value
        return had != (value != nil)
    }
}
