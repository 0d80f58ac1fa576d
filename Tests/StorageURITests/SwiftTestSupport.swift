import Foundation
import StorageURI

/// What version 3 of the identity service answers.
func keystoneAnswer(
    _ token: String = "gAAAtoken", catalog: String? = nil, expires: String = "2030-01-01T00:00:00.000000Z"
) -> HTTPFetchResponse {
    let catalog =
        catalog
            ?? """
            [{"type": "identity", "name": "keystone", "endpoints": [{"interface": "public", "region": "one", "url": "http://k"}]},
             {"type": "object-store", "name": "swift", "endpoints": [
               {"interface": "public", "region": "one", "region_id": "one", "url": "https://one.example/v1/AUTH_p/"},
               {"interface": "internal", "region": "one", "region_id": "one", "url": "http://one.internal:8080/v1/AUTH_p"},
               {"interface": "public", "region": "two", "region_id": "two", "url": "https://two.example/v1/AUTH_p"}]}]
            """
    let body = """
        {"token": {"methods": ["password"], "expires_at": "\(expires)", "catalog": \(catalog), "user": {"name": "u"}}}
        """
    return HTTPFetchResponse(status: 201, headers: [("x-subject-token", token)], body: Array(body.utf8))
}

/// What version 2 answers.
func keystoneV2Answer(_ token: String = "v2token") -> HTTPFetchResponse {
    let body = """
        {"access": {"token": {"id": "\(token)", "expires": "2030-01-01T00:00:00Z", "tenant": {"id": "p"}},
          "serviceCatalog": [{"type": "compute", "endpoints": []}, {"type": "object-store", "endpoints": [
            {"region": "one", "publicURL": "https://one.example/v1/AUTH_p", "internalURL": "http://one.internal/v1/AUTH_p"},
            {"region": "two", "publicURL": "https://two.example/v1/AUTH_p"}]}]}}
        """
    return HTTPFetchResponse(status: 200, body: Array(body.utf8))
}

func keystoneRefusal(_ text: String) -> HTTPFetchResponse {
    let body = "{\"error\": {\"code\": 401, \"message\": \"\(text)\", \"title\": \"Unauthorized\"}}"
    return HTTPFetchResponse(status: 401, body: Array(body.utf8))
}

func swiftToken(
    _ variables: [String: String], role: StorageRole? = nil, _ fetcher: any HTTPFetcher = ScriptedFetcher()
) async throws -> SwiftToken {
    try await SwiftTokenSource(
        environment: RoleEnvironment(variables, role: role), http: fetcher, pause: .milliseconds(1),
        now: { HandClock().now }
    ).token(refresh: false)
}

/// The message where there is no token; "" where there is one.
func swiftRefusal(
    _ variables: [String: String], role: StorageRole? = nil, _ fetcher: any HTTPFetcher = ScriptedFetcher()
) async -> String {
    do {
        _ = try await swiftToken(variables, role: role, fetcher)
        return ""
    } catch { return "\(error)" }
}

func swiftFaults(_ variables: [String: String], role: StorageRole? = nil) -> [SettingFault] {
    do throws(SettingsError) {
        _ = try SwiftSettings(environment: RoleEnvironment(variables, role: role))
        return []
    } catch { return error.faults }
}

/// A folder with the files of OpenStack's tools in it.
final class CloudsHome {
    let path: String

    init(clouds: String? = nil, secure: String? = nil) throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("zenith-clouds-\(UUID().uuidString)")
        path = url.path
        let folder = url.appendingPathComponent(".config/openstack")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for (name, text) in [("clouds", clouds), ("secure", secure)] {
            guard let text else { continue }
            try Data(text.utf8).write(to: folder.appendingPathComponent("\(name).yaml"))
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    var cloudsPath: String { "\(path)/.config/openstack/clouds.yaml" }
    var securePath: String { "\(path)/.config/openstack/secure.yaml" }
}
