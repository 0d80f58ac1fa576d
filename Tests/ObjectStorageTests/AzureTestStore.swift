import Foundation
import StorageURI
import TestSupport
import Testing

@testable import ObjectStorage

/// A blob service on this machine, and what a client needs in its environment to use it.
struct AzureTestServer: Sendable {
    /// `127.0.0.1:PORT`; plain HTTP, the account in the path.
    let authority: String
    let variables: [String: String]

    static let container = "zenith-test"
    static let account = "devstoreaccount1"
    /// Of every emulator.
    static let key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
    static let wrongKey = Data(repeating: 7, count: 64).base64EncodedString()

    static func endpoint(_ authority: String) -> String { "http://\(authority)/\(account)" }

    /// The same, at another address and perhaps with other credentials.
    static func variables(_ authority: String, _ credentials: [String: String]) -> [String: String] {
        credentials.merging(["AZURE_STORAGE_SERVICE_ENDPOINT": endpoint(authority)]) { $1 }
    }

    /// Variables as they are, without a role; quick to give up, small blocks.
    static func store(
        _ variables: [String: String], prefix: String, stallTimeout: Duration? = nil, container: String = container,
        credentials: (any AzureCredentialProvider)? = nil, _ adjust: (inout AzureOptions) -> Void = { _ in }
    ) throws -> AzureObjectStore {
        let environment = RoleEnvironment(variables, role: nil)
        let settings = try AzureSettings(environment)
        var options = AzureOptions(settings, container: container)
        options.partSizeBytes = 4 << 20
        options.retries.minimumDelay = .milliseconds(10)
        options.retries.minimumThrottlingDelay = .milliseconds(50)
        options.retries.maximumRetries = 4
        adjust(&options)
        var transport = HTTPTransportSettings(settings.common, environment: environment)
        if let stallTimeout { transport.stallTimeout = stallTimeout }
        let http = HTTPTransport(settings: transport)
        return AzureObjectStore(
            location: StorageLocation(scheme: .azure, container: container, path: prefix), options: options,
            credentials: credentials
                ?? AzureCredentialChain.make(environment: environment, settings: settings, http: http),
            transport: http)
    }

    func store(
        prefix: String, stallTimeout: Duration? = nil, _ adjust: (inout AzureOptions) -> Void = { _ in }
    ) throws -> AzureObjectStore {
        try Self.store(variables, prefix: prefix, stallTimeout: stallTimeout, adjust)
    }

    var remote: RemoteTarget {
        RemoteTarget(
            authority: authority, write: .init(method: "PUT"), delete: .init(method: "DELETE")
        ) { authority, prefix, identity, stallTimeout in
            let key = identity == .good ? Self.key : Self.wrongKey
            let variables = Self.variables(
                authority, ["AZURE_STORAGE_ACCOUNT": Self.account, "AZURE_STORAGE_ACCESS_KEY": key])
            return try Self.store(variables, prefix: prefix, stallTimeout: stallTimeout)
        }
    }
}

/// The scripted service of `scripts/azurescripted.py`, started once for all tests of a process.
struct AzureScripted: Sendable {
    let server: TestServer

    static var shared: AzureScripted {
        get async throws { AzureScripted(server: try await started.value) }
    }
    private static let started = Task { try await TestServer.start("azurescripted", ports: 3) }

    var blobs: AzureTestServer { blobs(at: server.authority) }
    /// The same blobs, by a clock that is an hour ahead.
    var skewed: AzureTestServer { blobs(at: "127.0.0.1:\(server.ports[1])") }
    /// Where identities get their tokens.
    var tokens: String { "http://127.0.0.1:\(server.ports[2])" }

    private func blobs(at authority: String) -> AzureTestServer {
        AzureTestServer(
            authority: authority,
            variables: AzureTestServer.variables(authority, ["AZURE_STORAGE_ACCESS_KEY": AzureTestServer.key]))
    }
}

/// Azurite, Microsoft's emulator, where somebody has started one: `AZURITE_URL` holds its connection string, or the URL
/// of its account `devstoreaccount1`.
enum Azurite {
    static let url = ProcessInfo.processInfo.environment["AZURITE_URL"].flatMap { $0.isEmpty ? nil : $0 }
    static let isThere = url != nil
    static let absence: Comment = "AZURITE_URL is not set: no server but the scripted one was tried"

    static var server: AzureTestServer {
        get async throws { try await started.value }
    }
    private static let started = Task {
        let url = Self.url ?? ""
        var variables = ["AZURE_STORAGE_CONNECTION_STRING": url]
        if url.contains("://"), !url.contains(";") {
            variables = ["AZURE_STORAGE_SERVICE_ENDPOINT": url, "AZURE_STORAGE_ACCESS_KEY": AzureTestServer.key]
        }
        let service = try AzureSettings(RoleEnvironment(variables, role: nil)).service
        let server = AzureTestServer(authority: service.authority, variables: variables)
        do {
            try await server.store(prefix: "").createContainer()
        } catch let failure as ServiceFailure {
            guard failure.serviceCode == "ContainerAlreadyExists" else { throw failure }
        }
        return server
    }
}

extension AzureObjectStore {
    func createContainer() async throws {
        _ = try await client.perform(AzureOperation(method: "PUT", query: [("restype", "container")]))
    }
}
