/// A real S3 service on this machine, started once for all tests of a process.
public struct S3TestServer: Sendable {
    public let name: String
    /// `127.0.0.1:PORT`; plain HTTP.
    public let authority: String
    public let accessKeyID: String
    public let secretAccessKey: String
    public let region = "us-east-1"
    /// A bucket that is there, for all tests: each takes a prefix of its own.
    public let bucket = "zenith-test"

    public var endpoint: String { "http://\(authority)" }

    /// What a program that talks to it needs in its environment.
    public var environment: [String: String] {
        [
            "AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": accessKeyID,
            "AWS_SECRET_ACCESS_KEY": secretAccessKey, "AWS_REGION": region,
        ]
    }

    /// SeaweedFS: honours every conditional write.
    public static var seaweed: S3TestServer {
        get async throws { try await startedSeaweed.value }
    }

    /// OpenStack Swift's S3: the strictest about signatures, and about bodies that do not match them.
    public static var swift: S3TestServer {
        get async throws { try await startedSwift.value }
    }

    /// rclone's: it ignores every condition.
    public static var rclone: S3TestServer {
        get async throws { try await startedRclone.value }
    }

    private static let startedRclone = Task {
        S3TestServer(try await TestServer.start("rclones3", ports: 1), accessKeyID: "zenithkey")
    }
    private static let startedSeaweed = Task {
        S3TestServer(try await TestServer.start("seaweed", ports: 8), accessKeyID: "zenithkey")
    }
    private static let startedSwift = Task {
        S3TestServer(try await TestServer.start("swift", ports: 5), accessKeyID: "zenith:zenithkey")
    }

    private init(_ server: TestServer, accessKeyID: String) {
        name = server.name
        authority = server.authority
        self.accessKeyID = accessKeyID
        secretAccessKey = "zenithsecret"
    }
}
