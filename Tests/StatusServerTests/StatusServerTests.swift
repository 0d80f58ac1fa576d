import Foundation
import Glibc
import Listening
import Logging
import NIOCore
import TestSupport
import Testing

@testable import StatusServer

@Suite("The status server", .timeLimit(.minutes(5)))
struct StatusServerTests {
    private struct Broken: Error {}

    private static let pages = StatusPages(
        status: { #"{"state":"well"}"# }, metrics: { [.gauge("m", "A metric.", 1)] })

    /// Runs blocking clients on a thread of their own: the server needs those of the concurrency runtime.
    private func serve<Value: Sendable>(
        _ pages: StatusPages = Self.pages, _ limits: StatusServer.Limits = StatusServer.Limits(),
        _ work: @escaping @Sendable (_ port: Int) throws -> Value
    ) async throws -> Value {
        let server = StatusServer(
            host: "127.0.0.1", port: 0, pages: pages, limits: limits,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        return try await server.serve { port in
            try await withCheckedThrowingContinuation { continuation in
                Thread.detachNewThread { continuation.resume(with: Result { try work(port) }) }
            }
        }
    }

    private static func limits(_ time: TimeAmount, connections: Int = 64) -> StatusServer.Limits {
        var limits = StatusServer.Limits()
        limits.connectionTime = time
        limits.connections = connections
        return limits
    }

    /// Sooner or later: with other tests beside, an answer may take longer than a connection lasts here.
    private func expectAnswer(_ port: Int, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let deadline = ContinuousClock.now + .seconds(120)
        while true {
            do {
                let response = try PlainResponse.get("/v1/status", port: port)
                #expect(
                    response.status == 200 && response.body == "{\"state\":\"well\"}\n", sourceLocation: sourceLocation)
                return
            } catch { guard ContinuousClock.now < deadline else { throw error } }
        }
    }

    @Test("pages have their types")
    func pages() async throws {
        try await serve { port in
            let status = try PlainResponse.get("/v1/status?verbose", port: port)
            #expect(status.status == 200 && status.body == "{\"state\":\"well\"}\n")
            #expect(status.headers["content-type"] == "application/json")
            let metrics = try PlainResponse.get("/metrics", port: port)
            #expect(try MetricsParser(metrics.body).value("m") == 1)
            #expect(metrics.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
            #expect(try PlainResponse.get("/healthz", port: port).body == "ok\n")
            let head = try PlainResponse.get("/metrics", port: port, method: "HEAD")
            #expect(head.status == 200 && head.body == "")
            #expect(head.headers["content-length"] == metrics.headers["content-length"])
        }
    }

    @Test(
        "what is not there, or not read, is refused in one line of JSON",
        arguments: [
            ("/", "GET", 404), ("/metrics/", "GET", 404), ("/v1/status", "POST", 405), ("/healthz", "DELETE", 405),
            ("/metrics", "PATCH", 405), ("/a\"b\\c%00", "GET", 404),
        ])
    func refusals(path: String, method: String, status: Int) async throws {
        try await serve { port in
            let response = try PlainResponse.get(path, port: port, method: method)
            #expect(response.status == status)
            #expect(response.headers["allow"] == (status == 405 ? "GET, HEAD" : nil))
            #expect(response.body.hasSuffix("\n") && response.body.dropLast().allSatisfy { !$0.isNewline })
            let body = try JSONSerialization.jsonObject(with: Data(response.body.utf8)) as? [String: String]
            #expect(body?["error"]?.contains(path) == true)
        }
    }

    @Test("a page that cannot be made is an error of the server, and no more than that")
    func broken() async throws {
        let pages = StatusPages(status: { throw Broken() }, metrics: { [] })
        try await serve(pages) { port in
            let response = try PlainResponse.get("/v1/status", port: port)
            #expect(response.status == 500 && response.body == "{\"error\":\"Broken()\"}\n")
            #expect(try PlainResponse.get("/metrics", port: port).status == 200)
        }
    }

    @Test(
        "what is no request ends the connection, and nothing else",
        arguments: [
            "\u{0}\u{1}\u{2}garbage\r\n\r\n", "GET\r\n\r\n", "GET /metrics HTTP/9.9\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}",
            "GET / HTTP/1.1\r\nHost: a\r\nBig: " + String(repeating: "x", count: 1 << 20) + "\r\n\r\n",
            "GET /" + String(repeating: "y", count: 1 << 20) + " HTTP/1.1\r\n\r\n",
        ])
    func garbage(text: String) async throws {
        try await serve { port in
            let client = try PlainClient(port: port)
            client.send(text)
            let answer = String(decoding: try client.readToEnd(), as: UTF8.self)
            #expect(answer == "" || answer.hasPrefix("HTTP/1.1 4"), "\(answer.prefix(100))")
            try expectAnswer(port)
        }
    }

    @Test(
        "who does not come to the point is disconnected",
        arguments: [
            "", "GET /v1/st", "GET /v1/status HTTP/1.1\r\nHost: a\r\n",
            "POST /v1/status HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nhalf",
        ])
    func silence(text: String) async throws {
        try await serve(Self.pages, Self.limits(.milliseconds(300))) { port in
            let client = try PlainClient(port: port)
            client.send(text)
            _ = try client.readToEnd()
            try expectAnswer(port)
        }
    }

    @Test("a body without an end is not read for ever")
    func endless() async throws {
        try await serve(Self.pages, Self.limits(.milliseconds(300))) { port in
            let client = try PlainClient(port: port)
            client.send("POST /metrics HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            let chunk = "10000\r\n" + String(repeating: "z", count: 1 << 16) + "\r\n"
            while client.send(chunk) {}
            try expectAnswer(port)
        }
    }

    @Test("who does not take the answer is disconnected")
    func slowReader() async throws {
        let size = 16 << 20
        let pages = StatusPages(
            status: { #"{"state":"well"}"# },
            metrics: { [.gauge("m", String(repeating: "x", count: size), 1)] })
        try await serve(pages, Self.limits(.milliseconds(500))) { port in
            let client = try PlainClient(port: port)
            client.send("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
            sleep(1)
            #expect(try client.readToEnd().count < size)
            try expectAnswer(port)
        }
    }

    @Test("a hundred silent connections leave room for one that asks", arguments: [8, 128])
    func crowd(limit: Int) async throws {
        try await serve(Self.pages, Self.limits(.milliseconds(100), connections: limit)) { port in
            let clients = try (0..<100).map { _ in try PlainClient(port: port) }
            for client in clients { client.send("GET /v1/st") }
            try expectAnswer(port)
            for client in clients { _ = try client.readToEnd() }
        }
    }

    @Test("it ends while clients are there")
    func ending() async throws {
        let clients = try await serve(Self.pages, Self.limits(.hours(1))) { port in
            // One idle, one within a request, one whose answer it has not taken.
            try ["", "GET /v1/st", "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"].map { text in
                let client = try PlainClient(port: port)
                client.send(text)
                return client
            }
        }
        for client in clients { _ = try client.readToEnd() }
    }

    @Test("without its address it does not begin")
    func addressInUse() async throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let server = StatusServer(host: "127.0.0.1", port: 0, pages: Self.pages, logger: logger)
        try await server.serve { port in
            let other = StatusServer(host: "127.0.0.1", port: port, pages: Self.pages, logger: logger)
            let error = await #expect(throws: ListenError.self) {
                try await other.serve { _ in Issue.record("it listens") }
            }
            #expect(error?.code == EADDRINUSE && error?.port == port)
            #expect(error?.description == "Address already in use")
        }
    }
}
