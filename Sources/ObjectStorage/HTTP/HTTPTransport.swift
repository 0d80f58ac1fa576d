import FoundationEssentials
public import StorageURI
import Synchronization

/// HTTP/1.1 by libcurl: one thread drives all transfers, connections are kept and used again.
///
/// It follows no redirect by itself, verifies certificates, and reads no environment. Cancelling the task that awaits
/// an answer ends the transfer at once.
public final class HTTPTransport: Sendable {
    private let engine: CurlEngine
    /// What the quickest answer said of the service's clock: the quicker it came, the less its time is in doubt.
    private let clock = Mutex<(offset: Duration, doubt: Duration)?>(nil)

    /// How far the service's clock is ahead of this machine's, to some seconds; nil before the first answer.
    var clockOffset: Duration? { clock.withLock { $0?.offset } }

    public init(settings: HTTPTransportSettings = HTTPTransportSettings()) {
        engine = CurlEngine(settings: settings)
    }

    deinit { engine.submit(.stop) }

    /// Sends a request and gives its answer, whatever the status.
    public func send(_ request: HTTPRequest) async throws(HTTPError) -> HTTPResponse {
        let transfer = CurlTransfer(request)
        let engine = engine
        let start = ContinuousClock.now
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                transfer.continuation = continuation
                engine.submit(.start(transfer))
            }
        } onCancel: {
            engine.submit(.cancel(transfer))
        }
        let response = try result.get()
        noteClock(response, elapsed: ContinuousClock.now - start)
        return response
    }

    private func noteClock(_ response: HTTPResponse, elapsed: Duration) {
        guard clock.withLock({ $0.map { elapsed < $0.doubt } ?? true }) else { return }
        guard let time = response.headers["date"].flatMap(ServiceDate.http) else { return }
        // The service wrote it at some moment of the exchange, and cut the fraction of the second off.
        let offset = Duration.seconds(time.timeIntervalSinceNow + 0.5) + elapsed / 2
        clock.withLock { clock in
            if clock.map({ elapsed < $0.doubt }) ?? true { clock = (offset, elapsed) }
        }
    }
}

extension HTTPTransport: HTTPFetcher {
    /// The most that a credential service may answer.
    private static let fetchLimit = 1 << 20

    public func fetch(_ request: HTTPFetchRequest) async throws -> HTTPFetchResponse {
        let response = try await send(
            HTTPRequest(
                method: request.method, url: request.url, headers: request.headers,
                body: request.body.isEmpty ? .none : .bytes(request.body), responseLimit: Self.fetchLimit,
                deadline: request.timeout, bypassesProxy: Self.isLocalAddress(request.url)))
        return HTTPFetchResponse(status: response.status, headers: response.headers.fields, body: response.body)
    }

    /// Whether a URL names this machine or its link. Metadata services live there: a proxy would be asked
    /// for its own identity, and would see the answer.
    static func isLocalAddress(_ url: String) -> Bool {
        // scheme, nothing, authority, path
        let parts = url.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count >= 3, parts[1].isEmpty else { return false }
        let authority = parts[2].prefix { $0 != "?" && $0 != "#" }
        let host = authority.split(separator: "@").last.map { $0.lowercased() } ?? ""
        if host.hasPrefix("[") { return ["[::1]", "[fe80:", "[fd00:ec2:"].contains { host.hasPrefix($0) } }
        let name = host.prefix { $0 != ":" }
        let numbers = name.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        guard numbers.count == 4, !numbers.contains(nil) else {
            return name == "localhost" || name == "metadata.google.internal"
        }
        // The last one is Alibaba Cloud's.
        return numbers[0] == 127 || (numbers[0] == 169 && numbers[1] == 254) || numbers == [100, 100, 100, 200]
    }
}
