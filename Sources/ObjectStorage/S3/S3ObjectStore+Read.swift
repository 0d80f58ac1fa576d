import Digests
import StorageURI

extension S3ObjectStore {
    public func head(_ key: ObjectKey) async throws(ObjectStoreError) -> ObjectInfo {
        try await naming("looking up the object", key) { () async throws(S3Failure) in
            let response = try await headResponse(fullKey(key))
            guard let size = response.headers["content-length"].flatMap({ Int($0) }), size >= 0 else {
                throw S3Failure(.corrupt, "the answer gives no length")
            }
            return ObjectInfo(key: key, sizeBytes: size, etag: response.headers["etag"].map(Self.bareTag))
        }
    }

    func headResponse(_ fullKey: String) async throws(S3Failure) -> HTTPResponse {
        try await client.perform(S3Operation(method: "HEAD", key: fullKey, headers: customerKeyHeaders)).response
    }

    /// A tag without the quotation marks around it.
    static func bareTag(_ tag: String) -> String {
        tag.count >= 2 && tag.hasPrefix("\"") && tag.hasSuffix("\"") ? String(tag.dropFirst().dropLast()) : tag
    }

    /// The most that one call reads into memory.
    private static let wholeObjectLimit = 1 << 30

    public func get(_ key: ObjectKey, range: Range<Int>?) async throws(ObjectStoreError) -> [UInt8] {
        try await naming("reading the object", key) { () async throws(S3Failure) in
            let fullKey = try fullKey(key)
            if let range, range.isEmpty || range.lowerBound < 0 {
                guard range.lowerBound >= 0 else { throw S3Failure(.invalid, "a range begins at 0 or behind") }
                _ = try await headResponse(fullKey)  // nothing to read, but it must be there
                return []
            }
            return try await read(fullKey, range)
        }
    }

    private func read(_ fullKey: String, _ range: Range<Int>?) async throws(S3Failure) -> [UInt8] {
        var download = S3Download(range: range, limit: Self.wholeObjectLimit)
        var retrier = S3Retrier(policy: client.options.retries)
        while true {
            do throws(S3Failure) {
                let operation = S3Operation(
                    method: "GET", key: fullKey, headers: customerKeyHeaders + download.headers,
                    responseLimit: download.responseLimit)
                let before = download.received.count
                try download.take(try await client.attempt(operation), isWhole: true)
                if download.isComplete {
                    guard download.matchesTag(isEncrypted: client.options.endpoint.isEncrypted) else {
                        download.restart()
                        var failure = S3Failure(.corrupt, "what arrived does not match the object's tag")
                        failure.isRetryable = true
                        throw failure
                    }
                    return download.received
                }
                guard download.received.count > before else {
                    throw S3Failure(.corrupt, "the answer ends before the object does")
                }
            } catch {
                var failure = error
                // It begins at the object's end or behind it.
                if failure.status == 416, download.received.isEmpty { return [] }
                if let partial = failure.partial, (200..<300).contains(partial.status), failure.isRetryable {
                    let before = download.received.count
                    try download.take(partial, isWhole: false)
                    if download.received.count > before { retrier.noteProgress() }
                } else if failure.code == .alreadyExists, !download.received.isEmpty {
                    // The object was replaced between two pieces: from the start, with the new one.
                    download.restart()
                    failure.isRetryable = true
                    failure.code = .unavailable
                }
                try await retrier.wait(after: failure)
            }
        }
    }
}

/// An object, or a range of it, as it arrives in one or more pieces. Each piece is checked to be the one asked for.
struct S3Download {
    let range: Range<Int>?
    let limit: Int
    private(set) var received: [UInt8] = []
    /// The object's tag, quoted as it came: later pieces must be of the same content.
    private var tag: String?
    /// Where the last byte wanted ends, once the object's length is known.
    private var end: Int?
    /// Whether the tag is the MD5 of the content.
    private var isTagDigest = false

    init(range: Range<Int>?, limit: Int) {
        self.range = range
        self.limit = limit
    }

    private var first: Int { range?.lowerBound ?? 0 }
    private var next: Int { first + received.count }

    var isComplete: Bool { end.map { next >= $0 } ?? false }

    /// The most that the next piece may have.
    var responseLimit: Int { (end.map { $0 - first } ?? range?.count ?? limit) - received.count }

    /// What the next request needs.
    var headers: [(name: String, value: String)] {
        var headers: [(name: String, value: String)] = []
        if let end = end ?? range?.upperBound {
            headers.append(("Range", "bytes=\(next)-\(end - 1)"))
        } else if !received.isEmpty {
            headers.append(("Range", "bytes=\(next)-"))
        }
        if let tag, !received.isEmpty { headers.append(("If-Match", tag)) }
        return headers
    }

    mutating func restart() {
        received = []
        tag = nil
        end = nil
        isTagDigest = false
    }

    /// Adds what an answer brought, whole or broken off.
    mutating func take(_ response: HTTPResponse, isWhole: Bool) throws(S3Failure) {
        let length = response.headers["content-length"].flatMap { Int($0) }
        if let text = response.headers["content-range"] {
            guard let given = Self.parse(text), given.start == next else {
                throw S3Failure(.corrupt, "asked for bytes from \(next), the answer has \(text)")
            }
            let wanted = min(range?.upperBound ?? given.total, given.total)
            guard end == nil || end == wanted else {
                throw S3Failure(.corrupt, "the object's length changed: \(text)")
            }
            guard given.end <= wanted, response.body.count <= given.end - given.start else {
                throw S3Failure(.corrupt, "more bytes than asked for: \(text)")
            }
            end = wanted
        } else {
            guard response.status != 206, next == 0 else {
                throw S3Failure(.corrupt, "the service does not read ranges, or does not say which it read")
            }
            if let length {
                end = min(range?.upperBound ?? length, length)
            } else if isWhole {
                end = response.body.count  // no length: all until the connection's orderly end
            }
        }
        let tag = response.headers["etag"]
        guard received.isEmpty || self.tag == tag else { throw S3Failure(.corrupt, "the object's tag changed") }
        self.tag = tag
        isTagDigest = Self.isDigest(response)
        if received.isEmpty { received = response.body } else { received.append(contentsOf: response.body) }
        if let end, next > end { received.removeLast(next - end) }
    }

    /// False when the whole object is here, is known to have its MD5 as tag, and has another. Over TLS nothing can
    /// change on the way, and the digest is not worth its time.
    func matchesTag(isEncrypted: Bool) -> Bool {
        guard !isEncrypted, range == nil, isTagDigest, let tag else { return true }
        return Digest.md5(received).hexadecimal == S3ObjectStore.bareTag(tag).lowercased()
    }

    /// Keys that the service or we keep make it another digest, and so do parts.
    private static func isDigest(_ response: HTTPResponse) -> Bool {
        guard let tag = response.headers["etag"].map(S3ObjectStore.bareTag), tag.utf8.count == 32 else { return false }
        let encryption = response.headers["x-amz-server-side-encryption"] ?? "AES256"
        return encryption == "AES256" && response.headers["x-amz-server-side-encryption-customer-algorithm"] == nil
            && tag.utf8.allSatisfy { ($0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x66) || ($0 >= 0x30 && $0 <= 0x39) }
    }

    /// Reads `bytes 0-99/1234`; the end is exclusive here.
    private static func parse(_ text: String) -> (start: Int, end: Int, total: Int)? {
        let parts = text.split { $0 == " " || $0 == "-" || $0 == "/" }
        guard parts.count == 4, parts[0].lowercased() == "bytes", let start = Int(parts[1]), let last = Int(parts[2]),
            let total = Int(parts[3]), start >= 0, last >= start, last < total
        else { return nil }
        return (start, last + 1, total)
    }
}
