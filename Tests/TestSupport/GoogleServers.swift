/// Emulators of Google's services on this machine, each started once for all tests of a process. Those of the storage
/// have the bucket `zenith-test`.
public enum GoogleServers {
    /// fake-gcs-server: pages listings, and honours conditions of single requests.
    public static var fake: TestServer {
        get async throws { try await startedFake.value }
    }

    /// gcp-storage-emulator: compares digests, and knows how far an upload has come.
    public static var emulator: TestServer {
        get async throws { try await startedEmulator.value }
    }

    /// Google's token services and metadata. The files of credentials that they accept lie in `CREDENTIALS`.
    public static var tokens: TestServer {
        get async throws { try await startedTokens.value }
    }

    private static let startedFake = Task { try await TestServer.start("fakegcs", ports: 1) }
    private static let startedEmulator = Task { try await TestServer.start("gcsemulator", ports: 1) }
    private static let startedTokens = Task { try await TestServer.start("googletokens", ports: 1) }
}
