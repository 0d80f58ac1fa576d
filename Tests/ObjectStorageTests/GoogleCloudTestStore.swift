import Foundation
import StorageURI
import TestSupport
import Testing

@testable import ObjectStorage

/// A token that never changes, or none.
struct FixedToken: GoogleTokenProvider {
    var text: String?
    func token(refresh: Bool) async throws -> GoogleToken {
        GoogleToken(accessToken: text.map { Secret($0) }, source: "the test")
    }
}

/// The emulators, by name: a test's arguments.
enum GoogleTestService: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case fake, emulator
    /// Google's own test bench, where one runs: `ZENITH_TEST_GCS_BENCH=127.0.0.1:PORT`, with the bucket `zenith-test`.
    case bench

    static let allCases: [GoogleTestService] = [.fake, .emulator] + (benchAuthority == nil ? [] : [.bench])

    private static let benchAuthority = ProcessInfo.processInfo.environment["ZENITH_TEST_GCS_BENCH"]

    var testDescription: String { rawValue }

    var authority: String {
        get async throws {
            switch self {
            case .fake: try await GoogleServers.fake.authority
            case .emulator: try await GoogleServers.emulator.authority
            case .bench: try #require(Self.benchAuthority)
            }
        }
    }

    static let chunkBytes = 1 << 20

    /// Settings for tests: quick to give up, small chunks.
    static func options(authority: String) -> GoogleCloudOptions {
        var options = GoogleCloudOptions(endpoint: "http://\(authority)", bucket: "zenith-test", isGoogle: false)
        options.chunkBytes = chunkBytes
        options.retries.minimumDelay = .milliseconds(10)
        options.retries.minimumThrottlingDelay = .milliseconds(50)
        options.retries.maximumRetries = 4
        return options
    }

    /// A store at an authority: the service's, or a proxy's before it.
    static func store(
        at authority: String, prefix: String, tokens: any GoogleTokenProvider = FixedToken(),
        stallTimeout: Duration? = nil, _ adjust: (inout GoogleCloudOptions) -> Void = { _ in }
    ) -> GoogleCloudObjectStore {
        var options = options(authority: authority)
        adjust(&options)
        var settings = HTTPTransportSettings()
        if let stallTimeout { settings.stallTimeout = stallTimeout }
        return GoogleCloudObjectStore(
            location: StorageLocation(scheme: .gs, container: options.bucket, path: prefix), options: options,
            tokens: tokens, transport: HTTPTransport(settings: settings))
    }

    func store(prefix: String, through proxy: FaultProxy? = nil) async throws -> GoogleCloudObjectStore {
        let authority = try await authority
        return Self.store(at: proxy?.authority ?? authority, prefix: prefix)
    }
}
