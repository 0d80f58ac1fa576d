/// A real service with Swift's own interface on this machine, started once for all tests of a process.
public struct SwiftTestServer: Sendable {
    public let name: String
    /// `127.0.0.1:PORT`; plain HTTP.
    public let authority: String
    /// The path of the tests' account.
    public let accountPath: String
    /// What logs in there, and names neither the service nor the account's address.
    public let credentials: [String: String]
    /// Where to log in.
    public let login: [String: String]
    /// A container that is there, for all tests: each takes a prefix of its own.
    public let container = "zenith-test"

    /// What a program that talks to it needs in its environment.
    public var environment: [String: String] { credentials.merging(login) { $1 } }

    /// Environment for another address of the same account, such as that of a proxy before the service.
    public func environment(at authority: String) -> [String: String] {
        environment.merging(["OS_STORAGE_URL": "http://\(authority)\(accountPath)"]) { $1 }
    }

    /// OpenStack Swift with users of its own.
    public static var openStack: SwiftTestServer {
        get async throws {
            // The same that speaks S3.
            SwiftTestServer(name: "swift", authority: try await S3TestServer.swift.authority)
        }
    }

    /// The same with tokens that end after a few seconds.
    public static var brief: SwiftTestServer {
        get async throws { SwiftTestServer(name: "swiftbrief", authority: try await startedBrief.value.authority) }
    }

    private static let startedBrief = Task { try await TestServer.start("swiftbrief", ports: 5) }

    private init(name: String, authority: String) {
        self.name = name
        self.authority = authority
        accountPath = "/v1/AUTH_zenith"
        credentials = ["ST_USER": "zenith:zenithkey", "ST_KEY": "zenithsecret"]
        login = ["ST_AUTH": "http://\(authority)/auth/v1.0"]
    }
}

/// OpenStack Keystone with a Swift behind it.
public struct KeystoneTestServer: Sendable {
    /// `http://127.0.0.1:PORT/v3`
    public let url: String
    public let projectID: String
    public let userID: String
    public let applicationCredentialID: String
    public let secret = "zenithsecret"

    /// User `lab` of project `lab`, as WAL-G's users name them.
    public var environment: [String: String] {
        [
            "OS_AUTH_URL": url, "OS_USERNAME": "lab", "OS_PASSWORD": secret, "OS_TENANT_NAME": "lab",
            "OS_REGION_NAME": "zenith-region",
        ]
    }

    public static var shared: KeystoneTestServer {
        get async throws { try await started.value }
    }

    private static let started = Task {
        let server = try await TestServer.start("keystone", ports: 6)
        func value(_ name: String) throws -> String {
            guard let value = server.values[name] else {
                throw ChildProcess.Failure(description: "keystone did not print \(name)")
            }
            return value
        }
        return KeystoneTestServer(
            url: "http://\(server.authority)/v3", projectID: try value("PROJECT_ID"), userID: try value("USER_ID"),
            applicationCredentialID: try value("APPLICATION_CREDENTIAL_ID"))
    }
}

/// Version 2 of OpenStack's identity service, of which no living one is left: its questions and answers alone.
public enum MimicTestServer {
    /// `http://127.0.0.1:PORT/identity/v2.0`
    public static var url: String {
        get async throws { "http://\(try await started.value.authority)/identity/v2.0" }
    }

    private static let started = Task { try await TestServer.start("mimic", ports: 1) }
}
