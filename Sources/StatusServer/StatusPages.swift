import FoundationEssentials
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore

/// What a daemon tells of itself. It is asked at each request, by several at once.
public struct StatusPages: Sendable {
    /// JSON.
    let status: @Sendable () async throws -> String
    let metrics: @Sendable () async throws -> [Metric]

    public init(
        status: @escaping @Sendable () async throws -> String, metrics: @escaping @Sendable () async throws -> [Metric]
    ) {
        self.status = status
        self.metrics = metrics
    }

    func response(to request: Request, _ logger: Logger) async -> Response {
        let path = request.uri.path
        guard ["/v1/status", "/metrics", "/healthz"].contains(path) else {
            return Self.error(.notFound, "there is no \(path) here; /v1/status, /metrics and /healthz are")
        }
        guard request.method == .get || request.method == .head else {
            var response = Self.error(.methodNotAllowed, "\(path) is only read, with GET")
            response.headers[.allow] = "GET, HEAD"
            return response
        }
        do {
            switch path {
            case "/v1/status": return Self.response(.ok, "application/json", try await status())
            case "/metrics": return Self.response(.ok, MetricsText.contentType, MetricsText.write(try await metrics()))
            // Who reads this knows that the daemon lives; how it is, the other pages say.
            default: return Self.response(.ok, "text/plain; charset=utf-8", "ok")
            }
        } catch {
            logger.error("\(path) cannot be told: \(error)")
            return Self.error(.internalServerError, "\(error)")
        }
    }

    private static func error(_ status: HTTPResponse.Status, _ message: String) -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        // A text can always be encoded.
        let body = (try? encoder.encode(["error": message])).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
        return response(status, "application/json", body)
    }

    private static func response(_ status: HTTPResponse.Status, _ contentType: String, _ body: String) -> Response {
        var text = body
        if text.last != "\n" { text += "\n" }
        return Response(
            status: status, headers: [.contentType: contentType, .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}
