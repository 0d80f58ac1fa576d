import StorageURI
import TestSupport

@testable import ObjectStorage

extension KeystoneTestServer {
    /// A store of the project's, in a container that is made where it is not there.
    func store(prefix: String, variables: [String: String] = [:]) async throws -> SwiftObjectStore {
        let transport = HTTPTransport()
        let environment = environment.merging(variables) { $1 }
        let store = SwiftObjectStore(
            location: StorageLocation(scheme: .swift, container: "zenith-test", path: prefix),
            options: .testing,
            tokens: SwiftTokenSource(environment: RoleEnvironment(environment, role: nil), http: transport),
            transport: transport)
        _ = try await store.client.perform(SwiftOperation(method: "PUT", target: .container("zenith-test")))
        return store
    }
}
