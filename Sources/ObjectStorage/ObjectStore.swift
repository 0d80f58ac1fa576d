public import StorageURI

/// What went wrong with a storage, as far as a caller can act on it.
public struct ObjectStoreError: Error, Sendable, CustomStringConvertible {
    /// Few and stable: what a caller decides by.
    public enum Code: Sendable, Equatable {
        /// The object (or the bucket) is not there.
        case notFound
        /// Create-if-absent found an object under the key.
        case alreadyExists
        /// Credentials are missing, refused or insufficient.
        case denied
        /// The service asks to slow down.
        case throttled
        /// Not reachable, stalled, or failing on its side, after all retries.
        case unavailable
        /// What arrived is not what the service promised, or a local path leaves its root.
        case corrupt
        /// The service refuses the request for a reason that no retry changes.
        case invalid
        /// No space, a quota, a read-only file system.
        case full
    }
    public let code: Code
    /// What was tried, on which storage and key, and what the service answered. No credential, no signed URL.
    public let action: String
    public let cause: (any Error)?

    public var isTransient: Bool { code == .throttled || code == .unavailable }
    public var description: String { cause.map { "\(action): \($0)" } ?? action }

    public init(_ code: Code, _ action: String, cause: (any Error)? = nil) {
        self.code = code
        self.action = action
        self.cause = cause
    }
}

/// The name of an object below its storage's prefix: UTF-8, at most 1,024 bytes, compared byte by byte.
public struct ObjectKey: Hashable, Sendable, Comparable, CustomStringConvertible, ExpressibleByStringLiteral {
    public let text: String
    public init(_ text: String) { self.text = text }
    public init(stringLiteral text: String) { self.text = text }
    public var description: String { text }

    // Not the string's own comparison, which takes the two spellings of an "é" for one.
    public static func == (a: ObjectKey, b: ObjectKey) -> Bool { a.text.utf8.elementsEqual(b.text.utf8) }
    public static func < (a: ObjectKey, b: ObjectKey) -> Bool { a.text.utf8.lexicographicallyPrecedes(b.text.utf8) }
    public func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}

/// One entry of a listing.
public struct ObjectInfo: Hashable, Sendable {
    public let key: ObjectKey
    public let sizeBytes: Int
    /// The service's tag of this content, where it gives one.
    public let etag: String?

    public init(key: ObjectKey, sizeBytes: Int, etag: String? = nil) {
        self.key = key
        self.sizeBytes = sizeBytes
        self.etag = etag
    }
}

/// One page of a listing, in byte order of keys.
public struct ObjectListing: Sendable {
    public var objects: [ObjectInfo]
    /// With a delimiter: the prefixes below which more keys lie, each ending in the delimiter.
    public var commonPrefixes: [String]
    /// What the next page starts behind; nil at the end.
    public var next: ObjectKey?

    public init(objects: [ObjectInfo] = [], commonPrefixes: [String] = [], next: ObjectKey? = nil) {
        self.objects = objects
        self.commonPrefixes = commonPrefixes
        self.next = next
    }
}

/// What `put` does when the key is taken.
public enum PutMode: Sendable {
    case overwrite
    /// Fails with `.alreadyExists`, decided by the service in one step, so that of several writers one wins.
    case createOnly
}

/// The content of an object to be written.
public enum ObjectBody: Sendable {
    case bytes([UInt8])
    /// A local file, read while it is sent; it must not change meanwhile.
    case file(path: String)
    /// Pieces of any size, pulled as they can be sent: memory stays bounded by the store's part size and concurrency.
    case stream(any AsyncSequence<[UInt8], any Error> & Sendable)
}

/// Objects that can be read and listed: all that may be done with what an import reads from.
///
/// Every call retries by itself what can be retried, has a deadline, and ends promptly with `CancellationError` as
/// the cause of `.unavailable` when its task is cancelled.
public protocol ReadableStore: Sendable {
    /// Where this is, for messages: the URI, without any secret.
    var location: StorageLocation { get }

    /// Size and tag of an object. Throws `.notFound`.
    func head(_ key: ObjectKey) async throws(ObjectStoreError) -> ObjectInfo

    /// Bytes `range` of the object (cut off at its end), or all of it. The answer has exactly these bytes: a
    /// connection that breaks is resumed where it broke. Meant for up to some 16 MiB; see `stream` for more.
    func get(_ key: ObjectKey, range: Range<Int>?) async throws(ObjectStoreError) -> [UInt8]

    /// Up to `limit` keys (with a delimiter: keys and common prefixes) in byte order, past `after`. A caller pages, so
    /// memory stays bounded. A common prefix that does not sort past `after` is not returned.
    func list(prefix: String, delimiter: String?, after: ObjectKey?, limit: Int) async throws(ObjectStoreError)
        -> ObjectListing
}

/// Whole immutable objects under keys, to be read and written. What `ReadableStore` promises of a call holds here too.
public protocol ObjectStore: ReadableStore {
    /// Writes all of it or none: no reader sees a part. After `.unavailable` or cancellation it may be there or not.
    /// Returns what was written.
    @discardableResult
    func put(_ key: ObjectKey, _ body: ObjectBody, mode: PutMode) async throws(ObjectStoreError) -> ObjectInfo

    /// Removes the objects. One that is not there is no error.
    func delete(_ keys: [ObjectKey]) async throws(ObjectStoreError)

    /// False where the service has no create-if-absent: `.createOnly` then checks first and writes after.
    var createsAtomically: Bool { get }

    /// How far the service's clock is ahead of this machine's, by its latest answer; nil where it does not tell.
    var clockOffset: Duration? { get }
}

extension ObjectStore {
    public var clockOffset: Duration? { nil }
}
