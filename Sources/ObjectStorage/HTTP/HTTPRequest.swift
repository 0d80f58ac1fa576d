/// What a request sends.
public enum HTTPBody: Sendable {
    case none
    /// A region of an array, sent from where it lies.
    case bytes([UInt8], Range<Int>)
    /// A region of a file, read while it is sent.
    case file(FileRegion)

    public static func bytes(_ bytes: [UInt8]) -> HTTPBody { .bytes(bytes, 0..<bytes.count) }

    public var count: Int {
        switch self {
        case .none: 0
        case .bytes(_, let range): range.count
        case .file(let region): region.count
        }
    }
}

/// One HTTP request. The URL is sent as it stands: nothing is encoded or normalized on the way.
public struct HTTPRequest: Sendable {
    public var method: String
    public var url: String
    public var headers: [(name: String, value: String)]
    public var body: HTTPBody
    /// The most bytes of a successful answer's body that are taken; more is an error.
    public var responseLimit: Int
    /// How long the whole exchange may take, from when it gets its connection; nil: as long as bytes move.
    public var deadline: Duration?
    /// How long nothing may move, where it is not the transport's own limit: some answers are long in coming.
    public var stallTimeout: Duration?
    /// False where sending twice is not the same as sending once. A connection that was kept alive and turns out to
    /// be dead is then an error, while otherwise the request goes out again on a new one.
    public var isRepeatable: Bool
    /// True for an address of this machine or its link, which no proxy can reach.
    public var bypassesProxy: Bool
    /// `host:port` to connect to in place of the URL's. Everything else, certificates too, goes by the URL.
    public var connectsTo: String?

    public init(
        method: String = "GET", url: String, headers: [(name: String, value: String)] = [], body: HTTPBody = .none,
        responseLimit: Int = 16 << 20, deadline: Duration? = nil, stallTimeout: Duration? = nil,
        isRepeatable: Bool = true, bypassesProxy: Bool = false
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.responseLimit = responseLimit
        self.deadline = deadline
        self.stallTimeout = stallTimeout
        self.isRepeatable = isRepeatable
        self.bypassesProxy = bypassesProxy
    }
}

/// The fields of an answer's head, in the order received, names in lower case.
public struct HTTPHeaders: Sendable {
    public var fields: [(name: String, value: String)] = []

    public init() {}

    /// The first field of that name, which is given in lower case.
    public subscript(name: String) -> String? { fields.first { $0.name == name }?.value }
}

public struct HTTPResponse: Sendable {
    public var status: Int
    public var headers: HTTPHeaders
    public var body: [UInt8]

    public init(status: Int, headers: HTTPHeaders = HTTPHeaders(), body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// Why an exchange ended without a whole answer.
public struct HTTPError: Error, Sendable, CustomStringConvertible {
    public enum Code: Sendable {
        case cancelled
        /// The name has no address.
        case cannotResolve
        /// Nobody listens, or not within the connect timeout.
        case cannotConnect
        /// The certificate is not trusted, or the two sides agree on no protocol.
        case untrusted
        /// Nothing moved for too long, or the deadline passed.
        case timedOut
        /// The connection broke.
        case broken
        /// The answer is longer than the request allows.
        case tooLong
        /// The request cannot be sent as it is, or its body cannot be read.
        case invalid
    }
    public let code: Code
    public let message: String
    /// True when the service may have seen and carried out the request.
    public let wasSent: Bool
    /// What of the answer had arrived.
    public let partial: HTTPResponse?

    public var description: String { message }

    public init(_ code: Code, _ message: String, wasSent: Bool = false, partial: HTTPResponse? = nil) {
        self.code = code
        self.message = message
        self.wasSent = wasSent
        self.partial = partial
    }
}
