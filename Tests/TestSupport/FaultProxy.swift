import Foundation

/// A proxy in front of a service that breaks what a test tells it to; `scripts/faultproxy.py` says how.
public final class FaultProxy: Sendable {
    /// One fault, and which requests it befalls.
    public struct Rule: Sendable, Encodable {
        var method: String?
        var target: String?
        var skip = 0
        public private(set) var times = 1
        var status: Int?
        var headers: [String: String]?
        var body: String?
        var forward: Bool?
        var reset: String?
        var at: Int?
        var truncate: Int?
        var corrupt: Int?
        var corruptUpload: Int?
        var stall: Double?

        enum CodingKeys: String, CodingKey {
            case method, target, skip, times, status, headers, body, forward, reset, at, truncate, corrupt, stall
            case corruptUpload = "corrupt_upload"
        }

        /// Narrows the rule: a method, a pattern in path and query, how many requests pass first, how many it takes.
        public func on(_ method: String? = nil, _ target: String? = nil, skip: Int = 0, times: Int = 1) -> Rule {
            var rule = self
            (rule.method, rule.target, rule.skip, rule.times) = (method, target, skip, times)
            return rule
        }

        private static func error(_ code: String) -> String {
            "<?xml version=\"1.0\"?><Error><Code>\(code)</Code><Message>Made up.</Message></Error>"
        }
        /// 500, without the service having seen the request.
        public static let internalError = Rule(status: 500, body: error("InternalError"))
        /// 500, after the service has done the work.
        public static let internalErrorAfterwards = Rule(status: 500, body: error("InternalError"), forward: true)
        /// 503 with a `Retry-After` in seconds.
        public static func slowDown(retryAfter: Int) -> Rule {
            Rule(status: 503, headers: ["Retry-After": String(retryAfter)], body: error("SlowDown"))
        }
        public static func answer(_ status: Int, _ code: String, headers: [String: String] = [:]) -> Rule {
            Rule(status: status, headers: headers, body: error(code))
        }
        /// An answer of any content.
        public static func content(_ status: Int, _ body: String) -> Rule { Rule(status: status, body: body) }
        /// The connection breaks before the request is read.
        public static let resetRequest = Rule(reset: "request")
        /// The service has done the work, but the connection breaks and its answer is lost.
        public static let loseAnswer = Rule(reset: "answer")
        public static func resetUpload(at offset: Int) -> Rule { Rule(reset: "upload", at: offset) }
        public static func resetDownload(at offset: Int) -> Rule { Rule(reset: "download", at: offset) }
        public static func truncate(at offset: Int) -> Rule { Rule(truncate: offset) }
        public static func corrupt(at offset: Int) -> Rule { Rule(corrupt: offset) }
        public static func corruptUpload(at offset: Int) -> Rule { Rule(corruptUpload: offset) }
        public static func stall(seconds: Double) -> Rule { Rule(stall: seconds) }
    }

    /// `127.0.0.1:PORT`, in place of the service's own.
    public let authority: String
    private let child: ChildProcess

    /// - Parameter identity: A file with a key and its certificate, to speak TLS with.
    public init(to authority: String, identity: String? = nil) async throws {
        let (child, port) = try await ChildProcess.blocking {
            let arguments =
                ["python3", ChildProcess.script("faultproxy.py"), authority] + (identity.map { [$0] } ?? [])
            let child = try ChildProcess(arguments)
            return (child, try child.readLine())
        }
        self.child = child
        self.authority = "127.0.0.1:\(port)"
    }

    /// Writes a new key, and a certificate for this machine that it has signed itself, to a file.
    public static func makeIdentity(path: String) throws {
        let result = try run([
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", path, "-out", path + ".cert",
        ])
        guard result.status == 0 else { throw ChildProcess.Failure(description: "openssl req: \(result.error)") }
        let certificate = try String(contentsOfFile: path + ".cert", encoding: .utf8)
        let key = try String(contentsOfFile: path, encoding: .utf8)
        try (key + certificate).write(toFile: path, atomically: true, encoding: .utf8)
        try FileManager.default.removeItem(atPath: path + ".cert")
    }

    /// Replaces the rules. The first that fits a request and is not used up befalls it.
    public func set(_ rules: Rule...) async throws { try await set(rules) }

    public func set(_ rules: [Rule]) async throws {
        let line = String(decoding: try JSONEncoder().encode(rules), as: UTF8.self)
        _ = try await ChildProcess.blocking { [child] in try child.ask(line) }
    }

    /// How often each rule was used.
    public func counts() async throws -> [Int] {
        let line = try await ChildProcess.blocking { [child] in try child.ask("\"counts\"") }
        return try JSONDecoder().decode([Int].self, from: Data(line.utf8))
    }
}
