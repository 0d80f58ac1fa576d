import Foundation
import PostgresFormat
import ReplicationServer
import StorageURI
import TestSupport
import Testing

@Suite("passwords and TLS, with PostgreSQL's own client", .timeLimit(.minutes(3)))
struct AuthenticationTests {
    /// Of the password "correct horse".
    static let verifier = SCRAMVerifier(
        Secret(
            "SCRAM-SHA-256$4096:AQIDBAUGBwgJCgsMDQ4PEA==$9t2OtQHdiF+sGkmvxzd7Hi+ISL4HOW14+pBYfophhH4=:"
                + "SbiWpEMcfcjnNxGw9Eut0+SRxOwWdKxZetNUuq1jFUE="))!

    /// Runs `psql` with a connection string. Its host is the certificate's name, its address the loopback's.
    static func psql(port: Int, password: String, user: String = "standby", _ more: String = "") throws -> ShellResult {
        let installation = try PostgresInstallation.require(major: 15)
        return try installation.run(
            "psql",
            [
                "host=localhost hostaddr=127.0.0.1 port=\(port) user=\(user) replication=true \(more)", "-wXAtc",
                "IDENTIFY_SYSTEM",
            ],
            environment: ["PGPASSWORD": password, "HOME": "/nonexistent"])
    }

    static let identity = "7711350716358040721|1|0/100000|\n"

    @Test("the right password is let in, everything else is not, and names cannot be told apart")
    func passwords() async throws {
        let source = try DirectorySource.random(segments: 1)
        defer { source.remove() }
        let configuration = settings {
            $0.trustsLoopback = false
            $0.users = ["standby": Self.verifier]
        }
        try await serving(source, configuration) { server, port in
            try await blocking {
                let right = try Self.psql(port: port, password: "correct horse")
                #expect(right.output == Self.identity && right.status == 0, "\(right.error)")
                for (user, password) in [("standby", "wrong horse"), ("nobody", "correct horse"), ("standby", "")] {
                    let wrong = try Self.psql(port: port, password: password, user: user)
                    #expect(wrong.status == 2)
                    let complaint =
                        password.isEmpty
                        ? "no password supplied" : "password authentication failed for user \"\(user)\""
                    #expect(wrong.error.contains(complaint), "\(wrong.error)")
                }
            }
            try await eventually { server.consumers().isEmpty }
        }
    }

    @Test("without trust and users, nobody gets in")
    func nobody() async throws {
        let source = try DirectorySource.random(segments: 1)
        defer { source.remove() }
        try await serving(source, settings { $0.trustsLoopback = false }) { _, port in
            let refused = try await blocking { try Self.psql(port: port, password: "x") }
            #expect(refused.error.contains("no user may connect from this address"))
        }
    }

    @Test("TLS, checked to the name, with the password bound to it")
    func tls() async throws {
        let source = try DirectorySource.random(segments: 1)
        defer { source.remove() }
        let (certificate, key) = (source.directory + "/server.crt", source.directory + "/server.key")
        let made = try run([
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost", "-sha384", "-keyout", key, "-out", certificate,
        ])
        #expect(made.status == 0, "\(made.error)")
        chmod(certificate, 0o644)
        let configuration = settings {
            $0.trustsLoopback = false
            $0.users = ["standby": Self.verifier]
            $0.tls = .init(certificateFile: certificate, privateKeyFile: key, isRequired: true)
        }
        try await serving(source, configuration) { server, port in
            try await blocking {
                let trusted = "sslrootcert=\(certificate)"
                for mode in ["sslmode=verify-full \(trusted)", "sslmode=require channel_binding=require"] {
                    let right = try Self.psql(port: port, password: "correct horse", mode)
                    #expect(right.output == Self.identity, "\(right.error)")
                }
                let unbound = try Self.psql(
                    port: port, password: "correct horse", "sslmode=require channel_binding=disable")
                #expect(unbound.output == Self.identity, "\(unbound.error)")
                let wrong = try Self.psql(port: port, password: "wrong", "sslmode=require channel_binding=require")
                #expect(wrong.error.contains("password authentication failed"))
                let plain = try Self.psql(port: port, password: "correct horse", "sslmode=disable")
                #expect(plain.error.contains("connections without TLS are not accepted"))
                // Somebody who breaks the handshake off harms nobody.
                let broken = try RawClient(port: port)
                try broken.send(RawClient.integer(UInt32(8)) + RawClient.integer(UInt32(80_877_103)))
                #expect(try broken.read(1) == [UInt8(ascii: "S")])
                try broken.send(RawClient.ordinaryStartup)
                _ = try broken.answer()
                #expect(try Self.psql(port: port, password: "correct horse", "sslmode=require").status == 0)
            }
            try await eventually { server.consumers().isEmpty }
        }
    }

    static func sasl(_ mechanism: String, _ text: String) -> [UInt8] {
        RawClient.message(
            "p", Array(mechanism.utf8) + [0] + RawClient.integer(UInt32(text.utf8.count)) + Array(text.utf8))
    }

    static let bad: [(String, [UInt8], String)] = [
        ("another message", RawClient.query("IDENTIFY_SYSTEM"), "08P01"),
        ("nothing", RawClient.message("p"), "08P01"),
        ("another mechanism", sasl("PLAIN", "n,,n=,r=abc"), "08P01"),
        ("binding without TLS", sasl("SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,n=,r=abc"), "08P01"),
        ("binding by the wrong mechanism", sasl("SCRAM-SHA-256", "p=tls-server-end-point,,n=,r=abc"), "08P01"),
        ("another identity", sasl("SCRAM-SHA-256", "n,a=me,n=,r=abc"), "0A000"),
        ("an extension", sasl("SCRAM-SHA-256", "n,,m=x,n=,r=abc"), "0A000"),
        ("no nonce", sasl("SCRAM-SHA-256", "n,,n=,r="), "08P01"),
        ("no attributes", sasl("SCRAM-SHA-256", "n,,"), "08P01"),
        ("no text", sasl("SCRAM-SHA-256", ""), "08P01"),
        (
            "a length that is not there",
            RawClient.message("p", Array("SCRAM-SHA-256\0".utf8) + [0x7F, 255, 255, 255] + Array("n,,".utf8)), "08P01"
        ),
    ]

    @Test("a client that does not keep to SCRAM is refused", arguments: bad)
    func malformed(name: String, bytes: [UInt8], code: String) async throws {
        let source = try DirectorySource.random(segments: 1)
        defer { source.remove() }
        let configuration = settings {
            $0.trustsLoopback = false
            $0.users = ["standby": Self.verifier]
        }
        try await serving(source, configuration) { server, port in
            let answer = try await blocking {
                let client = try RawClient(port: port)
                try client.send(RawClient.ordinaryStartup + bytes)
                return try client.answer()
            }
            #expect(answer.map(\.type) == ["R", "E"] && answer.last?.field("C") == code, "\(answer)")
        }
    }

    @Test("a verifier is shown to nobody, and text that is none is refused")
    func verifiers() {
        #expect("\(Self.verifier)" == "<redacted>" && String(reflecting: Self.verifier).contains("redacted"))
        for text in ["", "md5abc", "SCRAM-SHA-256$4096:AQID$abc:def", "SCRAM-SHA-256$0:AQID$x:y", "SCRAM-SHA-256$$"] {
            #expect(SCRAMVerifier(Secret(text)) == nil)
        }
    }
}
