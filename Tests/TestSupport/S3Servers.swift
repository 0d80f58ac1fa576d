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
    /// Where it answers over TLS, by the name `s3.localhost` too, and the file with the authority to trust.
    public let secure: (port: Int, authorityFile: String)?
    /// A role that the account may assume.
    public let roleARN: String?

    public var endpoint: String { "http://\(authority)" }
    public var port: Int { Int(authority.split(separator: ":").last ?? "") ?? 0 }

    /// What a program that talks to it needs in its environment.
    public var environment: [String: String] {
        [
            "AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": accessKeyID,
            "AWS_SECRET_ACCESS_KEY": secretAccessKey, "AWS_REGION": region,
        ]
    }

    /// The same for one role only, by its prefix.
    public func environment(prefix: String) -> [String: String] {
        Dictionary(uniqueKeysWithValues: environment.map { ("\(prefix)\($0)", $1) })
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

    /// Ceph's object gateway. Big: for the full set of tests.
    public static var ceph: S3TestServer {
        get async throws { try await startedCeph.value }
    }

    /// An emulator of Amazon's services. For the full set of tests.
    public static var ministack: S3TestServer {
        get async throws { try await startedMinistack.value }
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
    private static let startedCeph = Task {
        let server = try await TestServer.start("ceph", ports: 4)
        return S3TestServer(
            server, accessKeyID: "zenithkey", secure: (server.ports[1], server.values["CA"] ?? ""),
            roleARN: "arn:aws:iam:::role/S3Access")
    }
    private static let startedMinistack = Task {
        let server = try await TestServer.start("ministack", ports: 1)
        return S3TestServer(
            server, accessKeyID: server.values["ACCESS_KEY_ID"] ?? "",
            secretAccessKey: server.values["SECRET_ACCESS_KEY"] ?? "", roleARN: server.values["ROLE_ARN"])
    }

    private init(
        _ server: TestServer, accessKeyID: String, secretAccessKey: String = "zenithsecret",
        secure: (port: Int, authorityFile: String)? = nil, roleARN: String? = nil
    ) {
        name = server.name
        authority = server.authority
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.secure = secure
        self.roleARN = roleARN
    }
}
