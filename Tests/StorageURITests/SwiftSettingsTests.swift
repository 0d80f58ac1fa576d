import Foundation
import StorageURI
import Testing

@Suite("settings of swift")
struct SwiftSettingsTests {
    private static let base = ["OS_AUTH_URL": "https://keystone.example:5000/v3"]

    private func settings(_ variables: [String: String], role: StorageRole? = nil) throws -> SwiftSettings {
        try SwiftSettings(environment: RoleEnvironment(variables, role: role))
    }

    @Test("with the address of the identity service alone all has a default")
    func defaults() throws {
        let plain = try settings(Self.base)
        #expect(plain.identityURL == "https://keystone.example:5000/v3" && plain.version == .three)
        #expect(plain.storageURL == nil && plain.region == nil && plain.interface == .public)
        #expect(plain.segmentSizeBytes == 32 << 20 && plain.maximumRetries == 10 && plain.userAgent == "zenith")
        #expect(plain.common.uploadConcurrency == 4)
    }

    @Test("each value is read, and where it came from is told")
    func everything() throws {
        let home = try CloudsHome(clouds: "-----BEGIN CERTIFICATE-----")
        defer { withExtendedLifetime(home) {} }
        let read = try settings([
            "WALG_OS_AUTH_URL": "https://k/identity/", "OS_IDENTITY_API_VERSION": "3.14", "OS_REGION_NAME": "two",
            "OS_INTERFACE": "internalURL", "OS_STORAGE_URL": "https://s/v1/AUTH_a/", "OS_CACERT": home.cloudsPath,
            "SWIFT_SEGMENT_SIZE": "1GiB", "GOSWIFT_RETRIES": "3", "GOSWIFT_CONNECT_TIMEOUT": "500ms",
            "GOSWIFT_TIMEOUT": "2m", "GOSWIFT_USER_AGENT": "me", "UPLOAD_CONCURRENCY": "7",
        ])
        #expect(read.identityURL == "https://k/identity" && read.version == .three)
        #expect(read.storageURL == "https://s/v1/AUTH_a" && read.region == "two" && read.interface == .internal)
        #expect(read.segmentSizeBytes == 1 << 30 && read.maximumRetries == 3 && read.userAgent == "me")
        #expect(read.connectTimeout == .milliseconds(500) && read.stallTimeout == .seconds(120))
        #expect(read.common.certificateAuthorityFile == home.cloudsPath && read.common.uploadConcurrency == 7)
        #expect(read.origins["OS_AUTH_URL"] == "WALG_OS_AUTH_URL")
        #expect(try settings(Self.base.merging(["GOSWIFT_INTERNAL": "true"]) { $1 }).interface == .internal)
    }

    @Test(
        "the version follows from what is set",
        arguments: [
            (["OS_AUTH_URL": "https://k:5000/v2.0"], SwiftSettings.Version.two),
            (["OS_AUTH_URL": "https://k:5000/v2.0/"], .two), (["OS_AUTH_URL": "https://k/identity/v3"], .three),
            (["OS_AUTH_URL": "https://k:5000"], nil), (["OS_AUTH_URL": "https://s/auth/v1.0"], .one),
            (["OS_AUTH_URL": "https://k:5000", "ST_AUTH_VERSION": "2"], .two),
            (["OS_AUTH_URL": "https://k:5000", "OS_IDENTITY_API_VERSION": "3"], .three),
            (["ST_AUTH": "https://s/auth"], .one), (["ST_AUTH": "https://s/auth/v1.0"], .one),
            (["ST_AUTH": "https://k", "ST_AUTH_VERSION": "2.0"], .two),
            (["ST_AUTH": "https://s/auth", "OS_AUTH_URL": "https://k/v3"], .three),
            (["ST_AUTH": "https://s/auth", "OS_AUTH_URL": "https://k/v3", "ST_AUTH_VERSION": "1.0"], .one),
        ] as [([String: String], SwiftSettings.Version?)])
    func versions(variables: [String: String], version: SwiftSettings.Version?) throws {
        #expect(try settings(variables).version == version)
    }

    @Test("all faults are told at once")
    func faults() {
        let found = swiftFaults([
            "OS_AUTH_URL": "ftp://k", "OS_STORAGE_URL": "https://u:hunter2@s", "ST_AUTH_VERSION": "4",
            "OS_ENDPOINT_TYPE": "secret", "GOSWIFT_RETRIES": "many", "GOSWIFT_TIMEOUT": "1",
            "SWIFT_SEGMENT_SIZE": "6GiB",
            "GOSWIFT_INTERNAL": "perhaps", "OS_CACERT": "/nonexistent",
        ])
        #expect(
            Set(found.map(\.variable)) == [
                "OS_AUTH_URL", "OS_STORAGE_URL", "ST_AUTH_VERSION", "OS_ENDPOINT_TYPE", "GOSWIFT_RETRIES",
                "SWIFT_SEGMENT_SIZE", "GOSWIFT_INTERNAL", "OS_CACERT",
            ])
        #expect(!found.description.contains("hunter2"))
        #expect(swiftFaults([:]).map(\.variable) == ["OS_AUTH_URL"])
        #expect(swiftFaults(["OS_USERNAME": "u"], role: .storage).map(\.variable) == ["OS_AUTH_URL"])
        #expect(
            swiftFaults(["OS_AUTH_URL": "https://k/v2.0", "OS_IDENTITY_API_VERSION": "3"]).map(\.variable)
                == ["OS_IDENTITY_API_VERSION"])
    }

    private static let clouds = """
        common: &common
          region_name: one
          interface: internal
        clouds:
          backup:
            <<: *common
            auth:
              auth_url: https://keystone.example/v3
              username: u
              project_name: 0123
              user_domain_name: Default
            identity_api_version: 3
          regions:
            auth: {auth_url: "https://k", username: u, password: p}
            regions: [{name: first}, second]
          insecure:
            auth: {auth_url: "https://k"}
            verify: false
          vendor:
            profile: ovh
        """

    @Test("a cloud of clouds.yaml says where the storage is, and variables beside it go before")
    func cloud() throws {
        let home = try CloudsHome(clouds: Self.clouds, secure: "clouds: {backup: {auth: {password: hidden}}}")
        defer { withExtendedLifetime(home) {} }
        let base = ["HOME": home.path, "OS_CLOUD": "backup", "OS_AUTH_URL": "https://other/v2.0"]
        let read = try settings(base)
        #expect(read.identityURL == "https://keystone.example/v3" && read.version == .three)
        #expect(read.region == "one" && read.interface == .internal)
        #expect(read.origins["OS_REGION_NAME"] == "region_name of cloud backup")
        #expect(try settings(base.merging(["OS_REGION_NAME": "two"]) { $1 }).region == "two")
        #expect(try settings(["HOME": home.path, "OS_CLOUD": "regions"]).region == "first")
        // A role with a cloud of its own does not take another identity's region.
        let own = ["HOME": home.path, "SNAPSHOT_OS_CLOUD": "backup", "OS_REGION_NAME": "two"]
        #expect(try settings(own, role: .snapshot).region == "one")
        let inspection = try SwiftSettings.inspect(environment: RoleEnvironment(base, role: nil))
        #expect(inspection.secretFiles == [home.cloudsPath, home.securePath])
        for (name, part) in [
            ("none", "there is no cloud “none” in \(home.cloudsPath)"), ("insecure", "check of certificates"),
            ("vendor", "give auth_url"),
        ] {
            let text = swiftFaults(["HOME": home.path, "OS_CLOUD": name]).description
            #expect(text.contains(part), "\(text)")
        }
        #expect(swiftFaults(["HOME": "/nonexistent", "OS_CLOUD": "x"]).map(\.variable) == ["OS_CLOUD"])
        let other = ["OS_CLOUD": "regions", "OS_CLIENT_CONFIG_FILE": home.cloudsPath]
        #expect(try settings(other).identityURL == "https://k")
        #expect(
            swiftFaults(["OS_CLOUD": "x", "OS_CLIENT_CONFIG_FILE": "/nonexistent"]).map(\.variable)
                == ["OS_CLIENT_CONFIG_FILE"])
    }

    @Test(
        "a file that is not YAML is told, and nothing of it", arguments: ["clouds: [hunter2", "a: b: hunter2", "\u{0}"])
    func brokenClouds(text: String) throws {
        let home = try CloudsHome(clouds: text)
        defer { withExtendedLifetime(home) {} }
        let found = swiftFaults(["HOME": home.path, "OS_CLOUD": "x"])
        #expect(found.count == 1 && !found.description.contains("hunter2"), "\(found)")
        #expect(found.description.contains(home.cloudsPath))
    }

    @Test("what counts, and where data goes, is told")
    func inspection() throws {
        let inspection = try SwiftSettings.inspect(
            environment: RoleEnvironment(
                [
                    "OS_AUTH_URL": "https://k:5000/v3", "OS_USERNAME": "u", "OS_PASSWORD": "hidden",
                    "OS_REGION_NAME": "one", "STORAGE_OS_REGION_NAME": "two", "OS_ENDPOINT_TYPE": "internal",
                ], role: .storage))
        #expect(
            inspection.variables.map { "\($0.name)=\($0.text ?? "-")" } == [
                "OS_USERNAME=u", "OS_PASSWORD=-", "OS_AUTH_URL=https://k:5000/v3", "STORAGE_OS_REGION_NAME=two",
                "OS_ENDPOINT_TYPE=internal",
            ])
        #expect(
            inspection.facts.map { "\($0.name): \($0.detail)" } == [
                "service: https://k:5000/v3 (OS_AUTH_URL)", "region: two (STORAGE_OS_REGION_NAME)",
                "interface: internal (OS_ENDPOINT_TYPE)",
            ])
        #expect(inspection.warnings.isEmpty && inspection.secretFiles.isEmpty)
    }
}
