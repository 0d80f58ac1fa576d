import StorageURI
import TestSupport
import Testing

@testable import ObjectStorage

extension SwiftTestServer {
    private static let loginTransport = HTTPTransport()

    /// A store on this server, by way of a proxy where one is given: small segments, quick to give up.
    func store(
        prefix: String, at authority: String? = nil, transport: HTTPTransport = HTTPTransport(),
        variables: [String: String] = [:], container: String? = nil, _ adjust: (inout SwiftOptions) -> Void = { _ in }
    ) -> SwiftObjectStore {
        var options = SwiftOptions.testing
        adjust(&options)
        let environment = environment(at: authority ?? self.authority).merging(variables) { $1 }
        return SwiftObjectStore(
            location: StorageLocation(scheme: .swift, container: container ?? self.container, path: prefix),
            options: options,
            tokens: SwiftTokenSource(
                environment: RoleEnvironment(environment, role: nil), http: Self.loginTransport), transport: transport)
    }
}

extension SwiftOptions {
    static var testing: SwiftOptions {
        var options = SwiftOptions()
        options.segmentBytes = 1 << 20
        options.wholeBytes = options.segmentBytes
        options.retries.minimumDelay = .milliseconds(10)
        options.retries.minimumThrottlingDelay = .milliseconds(50)
        options.retries.maximumRetries = 4
        return options
    }
}

extension SwiftObjectStore {
    /// What lies in the container of segments below the prefix and belongs to no object.
    func straySegments() async throws -> [String] {
        let beside = SwiftObjectStore(
            location: StorageLocation(
                scheme: .swift, container: "\(location.container)_segments", path: location.path),
            options: client.options, tokens: client.tokens, transport: client.transport)
        var stray: Set<String> = []
        do throws(ObjectStoreError) {
            for try await segment in beside.listAll() { stray.insert(beside.prefix.full(prefix: segment.key.text)) }
        } catch {
            guard error.code == .notFound else { throw error }
            return []
        }
        for try await object in listAll() {
            let fullKey = try prefix.full(object.key)
            if Self.isSegmented(try await lookUp(fullKey)) { stray.subtract(try await segmentNames(fullKey)) }
        }
        return stray.sorted()
    }

    func expectNoStraySegments(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let stray = try await straySegments()
        #expect(stray == [], sourceLocation: sourceLocation)
    }

    /// The segments of an object; none where it is in one piece.
    func segments(of key: ObjectKey) async throws -> [String] {
        let fullKey = try prefix.full(key)
        return Self.isSegmented(try await lookUp(fullKey)) ? try await segmentNames(fullKey) : []
    }
}
