import Foundation

/// A proxy in front of a service that cuts connections where a test tells it to; `scripts/tcpproxy.py` says how.
public final class TCPProxy: Sendable {
    public struct Rule: Sendable, Encodable {
        public enum Way: String, Sendable, Encodable, CaseIterable { case up, down }
        var on: Way?
        var at: Int?
        var action: String
        var seconds: Double?
        var count: Int?
        var times = 1

        enum CodingKeys: String, CodingKey {
            case on, at, count, times
            case action = "do"
            case seconds = "for"
        }

        /// Cuts a connection once so many more bytes have passed on it.
        public static func reset(_ way: Way, at offset: Int, times: Int = 1) -> Rule {
            Rule(on: way, at: offset, action: "reset", times: times)
        }
        public static func stall(_ way: Way, at offset: Int, seconds: Double) -> Rule {
            Rule(on: way, at: offset, action: "stall", seconds: seconds)
        }
        /// Cuts new connections.
        public static func refuse(times: Int = 1) -> Rule { Rule(action: "refuse", times: times) }
        /// Lets so many connections go on from here only together.
        public static func gather(_ count: Int, _ way: Way, at offset: Int) -> Rule {
            Rule(on: way, at: offset, action: "gather", count: count, times: count)
        }
    }

    public let port: Int
    private let child: ChildProcess

    public init(to authority: String) async throws {
        let (child, port) = try await ChildProcess.blocking {
            let child = try ChildProcess(["python3", ChildProcess.script("tcpproxy.py"), authority])
            return (child, try child.readLine())
        }
        self.child = child
        self.port = Int(port) ?? 0
    }

    /// Replaces the rules.
    public func set(_ rules: Rule...) async throws {
        let line = String(decoding: try JSONEncoder().encode(rules), as: UTF8.self)
        _ = try await ask(line)
    }

    /// How often each rule was used.
    public func counts() async throws -> [Int] {
        try JSONDecoder().decode([Int].self, from: Data(try await ask("\"counts\"").utf8))
    }

    /// How many connections there were so far.
    public func connections() async throws -> Int { Int(try await ask("\"connections\"")) ?? 0 }

    private func ask(_ line: String) async throws -> String {
        try await ChildProcess.blocking { [child] in try child.ask(line) }
    }
}
