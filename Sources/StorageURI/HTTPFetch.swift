/// One small HTTP exchange, as credential services need it. The transport is handed in: this module opens no socket.
public struct HTTPFetchRequest: Sendable {
    public var method: String
    public var url: String
    public var headers: [(name: String, value: String)]
    public var body: [UInt8]
    public var timeout: Duration

    public init(
        method: String = "GET", url: String, headers: [(name: String, value: String)] = [], body: [UInt8] = [],
        timeout: Duration = .seconds(10)
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeout = timeout
    }
}

public struct HTTPFetchResponse: Sendable {
    public let status: Int
    /// The fields of the head, names in lower case.
    public let headers: [(name: String, value: String)]
    public let body: [UInt8]

    public init(status: Int, headers: [(name: String, value: String)] = [], body: [UInt8]) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// The first field of that name, which is given in lower case.
    public func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
}

public protocol HTTPFetcher: Sendable {
    /// Throws when there is no answer at all; an answer of any status is returned.
    func fetch(_ request: HTTPFetchRequest) async throws -> HTTPFetchResponse
}
