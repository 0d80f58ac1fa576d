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
    public let body: [UInt8]

    public init(status: Int, body: [UInt8]) {
        self.status = status
        self.body = body
    }
}

public protocol HTTPFetcher: Sendable {
    /// Throws when there is no answer at all; an answer of any status is returned.
    func fetch(_ request: HTTPFetchRequest) async throws -> HTTPFetchResponse
}
