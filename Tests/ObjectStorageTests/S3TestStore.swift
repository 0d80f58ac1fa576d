import StorageURI
import TestSupport
import Testing

@testable import ObjectStorage

/// Credentials that never change.
struct FixedCredentials: AWSCredentialProvider {
    let keys: AWSCredentials
    init(_ id: String, _ secret: String) {
        keys = AWSCredentials(accessKeyID: id, secretAccessKey: Secret(secret), source: "the test")
    }
    init(_ keys: AWSCredentials) { self.keys = keys }
    func credentials(refresh: Bool) async throws -> AWSCredentials { keys }
}

/// A random prefix: no test sees another's objects.
func uniquePrefix(_ name: String = #function) -> String {
    "\(name.prefix { $0.isLetter || $0.isNumber })-\(String(UInt64.random(in: 0 ... .max), radix: 36))"
}

/// Bytes that are the same for the same seed, and nowhere repeat.
func testBytes(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
        var state = seed
        for index in 0..<count {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            buffer[index] = UInt8(truncatingIfNeeded: state >> 56)
        }
        initialized = count
    }
}

/// Whether two contents are the same. Not `==` within an expectation: on a failure that would go on for many minutes to
/// show the difference of two large arrays.
func same(_ a: [UInt8], _ b: [UInt8]) -> Bool { a == b }

extension S3TestServer {
    /// Settings for this server, for tests: quick to give up, small parts.
    func options(authority: String? = nil, bucket: String? = nil) -> S3Options {
        var options = S3Options(
            endpoint: S3Endpoint(
                service: .other(scheme: "http", authority: authority ?? self.authority, path: ""),
                bucket: bucket ?? self.bucket, usesPathStyle: true),
            region: region)
        options.partSizeBytes = 5 << 20  // the least that services take
        options.retries.minimumDelay = .milliseconds(10)
        options.retries.minimumThrottlingDelay = .milliseconds(50)
        options.retries.maximumRetries = 4
        return options
    }

    /// A store on this server, by way of a proxy where one is given.
    func store(
        prefix: String, at authority: String? = nil, through proxy: FaultProxy? = nil,
        transport: HTTPTransport = HTTPTransport(),
        keys: FixedCredentials? = nil, bucket: String? = nil, _ adjust: (inout S3Options) -> Void = { _ in }
    ) -> S3ObjectStore {
        var options = options(authority: authority ?? proxy?.authority, bucket: bucket)
        adjust(&options)
        return S3ObjectStore(
            location: StorageLocation(scheme: .s3, container: options.endpoint.bucket, path: prefix),
            options: options, credentials: keys ?? FixedCredentials(accessKeyID, secretAccessKey),
            transport: transport)
    }
}

/// The services, by name: a test's arguments.
enum S3TestService: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case seaweed, swift, ceph

    /// Those of this run: Ceph is big.
    static let allCases: [S3TestService] = [.seaweed, .swift] + (TestSelection.allStorages ? [.ceph] : [])

    var testDescription: String { rawValue }
    var server: S3TestServer {
        get async throws {
            switch self {
            case .seaweed: try await S3TestServer.seaweed
            case .swift: try await S3TestServer.swift
            case .ceph: try await S3TestServer.ceph
            }
        }
    }
}

extension S3ObjectStore {
    /// The uploads that were begun below the prefix and neither joined nor removed.
    func unfinishedUploads() async throws -> [String] {
        let operation = S3Operation(method: "GET", query: [("uploads", ""), ("prefix", location.path)])
        let root = XMLElement.parse(try await client.perform(operation).response.body)
        return root?.all("Upload").compactMap { $0["Key"] } ?? []
    }
}
