import Digests

/// An object, or a range of it, as it arrives in one or more pieces. Each piece is checked to be the one asked for.
struct RangedDownload {
    /// What a service's answer says of the object besides the head's usual fields.
    struct Labels {
        /// The tag of the content, as it came: later pieces must be of the same content.
        var tag: String?
        /// The MD5 of the whole object, where the answer gives it.
        var md5: [UInt8]?
        /// The CRC-32C of the whole object, likewise.
        var crc32c: UInt32?
    }

    let range: Range<Int>?
    private let limit: Int
    private(set) var received: [UInt8] = []
    private var labels = Labels()
    /// Where the last byte wanted ends, once the object's length is known.
    private var end: Int?

    /// The most that one call reads into memory.
    private static let wholeObjectLimit = 1 << 30

    init(range: Range<Int>?, limit: Int = Self.wholeObjectLimit) {
        self.range = range
        self.limit = limit
    }

    private var first: Int { range?.lowerBound ?? 0 }
    private var next: Int { first + received.count }

    var isComplete: Bool { end.map { next >= $0 } ?? false }

    /// The tag that the rest must have; nil where nothing has arrived yet.
    var tag: String? { received.isEmpty ? nil : labels.tag }

    /// The most that the next piece may have.
    var responseLimit: Int { (end.map { $0 - first } ?? range?.count ?? limit) - received.count }

    /// The value of the next request's `Range`; nil: all.
    var rangeHeader: String? {
        if let end = end ?? range?.upperBound { return "bytes=\(next)-\(end - 1)" }
        return received.isEmpty ? nil : "bytes=\(next)-"
    }

    mutating func restart() { self = RangedDownload(range: range, limit: limit) }

    /// Adds what an answer brought, whole or broken off.
    mutating func take(_ response: HTTPResponse, _ labels: Labels, isWhole: Bool) throws(ServiceFailure) {
        let length = response.headers["content-length"].flatMap { Int($0) }
        if let text = response.headers["content-range"] {
            guard let given = Self.parse(text), given.start == next else {
                throw ServiceFailure(.corrupt, "asked for bytes from \(next), the answer has \(text)")
            }
            let wanted = min(range?.upperBound ?? given.total, given.total)
            guard end == nil || end == wanted else {
                throw ServiceFailure(.corrupt, "the object's length changed: \(text)")
            }
            guard given.end <= wanted, response.body.count <= given.end - given.start else {
                throw ServiceFailure(.corrupt, "more bytes than asked for: \(text)")
            }
            end = wanted
        } else {
            guard response.status != 206, next == 0 else {
                throw ServiceFailure(.corrupt, "the service does not read ranges, or does not say which it read")
            }
            if let length {
                end = min(range?.upperBound ?? length, length)
            } else if isWhole {
                end = response.body.count  // no length: all until the connection's orderly end
            }
        }
        guard received.isEmpty || self.labels.tag == labels.tag else {
            throw ServiceFailure(.corrupt, "the object's tag changed")
        }
        self.labels = labels
        if received.isEmpty { received = response.body } else { received.append(contentsOf: response.body) }
        if let end, next > end { received.removeLast(next - end) }
    }

    /// False when the whole object is here, a digest of it is known, and it has another.
    var matchesDigest: Bool {
        guard range == nil else { return true }
        if let crc32c = labels.crc32c, CRC32C.of(received).value != crc32c { return false }
        return labels.md5.map { Digest.md5(received) == $0 } ?? true
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

extension RangedDownload {
    /// Reads an object or a range of it: a connection that breaks is resumed where it broke, an object that is replaced
    /// meanwhile is read anew.
    ///
    /// - Parameters:
    ///   - range: Not empty, and from 0 on.
    ///   - attempt: Asks once for what the download still lacks: its `rangeHeader`, of the content with its `tag`.
    ///   - labels: What an answer says of the object.
    static func read(
        _ range: Range<Int>?, retries: RetryPolicy,
        attempt: (RangedDownload) async throws(ServiceFailure) -> HTTPResponse,
        labels: (HTTPResponse) -> Labels
    ) async throws(ServiceFailure) -> [UInt8] {
        var download = RangedDownload(range: range)
        var retrier = Retrier(policy: retries)
        while true {
            do throws(ServiceFailure) {
                let before = download.received.count
                let response = try await attempt(download)
                try download.take(response, labels(response), isWhole: true)
                if download.isComplete {
                    guard download.matchesDigest else {
                        download.restart()
                        var failure = ServiceFailure(.corrupt, "what arrived does not match the object's digest")
                        failure.isRetryable = true
                        throw failure
                    }
                    return download.received
                }
                guard download.received.count > before else {
                    throw ServiceFailure(.corrupt, "the answer ends before the object does")
                }
            } catch {
                var failure = error
                // It begins at the object's end or behind it.
                if failure.status == 416, download.received.isEmpty { return [] }
                if let partial = failure.partial, (200..<300).contains(partial.status), failure.isRetryable {
                    let before = download.received.count
                    try download.take(partial, labels(partial), isWhole: false)
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
