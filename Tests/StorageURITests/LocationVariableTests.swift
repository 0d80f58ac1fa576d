import StorageURI
import Testing

@Suite("variables as locations")
struct LocationVariableTests {
    @Test(
        "the name of a variable stands for the location in it",
        arguments: [
            ("S3_PREFIX", "s3://bucket/x", "s3://bucket/x"), ("GS_PREFIX", "gs://bucket/x", "gs://bucket/x"),
            ("AZ_PREFIX", "azure://container/x", "azure://container/x"),
            ("SWIFT_PREFIX", "swift://container/x", "swift://container/x"),
            ("OSS_PREFIX", "oss://bucket/x", "oss://bucket/x"), ("SSH_PREFIX", "ssh://host/x", "ssh://host/x"),
            ("FILE_PREFIX", "/srv/x", "file:///srv/x"), ("FILE_PREFIX", "file://localhost/srv/x", "file:///srv/x"),
        ])
    func eachScheme(name: String, value: String, normal: String) throws {
        for prefix in ["", "WALG_", "WALE_"] {
            #expect(try parse(name, [prefix + name: value]).description == normal)
            #expect(try parse(prefix + name, [prefix + name: value]).description == normal)
        }
    }

    @Test("the role's own goes first, and the variable read is told")
    func order() throws {
        var variables = [
            "SNAPSHOT_S3_PREFIX": "s3://first", "SNAPSHOT_WALG_S3_PREFIX": "s3://second", "S3_PREFIX": "s3://third",
            "WALG_S3_PREFIX": "s3://fourth", "WALE_S3_PREFIX": "s3://fifth", "WAL_S3_PREFIX": "s3://other",
        ]
        var seen: [String] = []
        for _ in 0..<5 {
            let found = try StorageLocation.resolve(
                "S3_PREFIX", environment: RoleEnvironment(variables, role: .snapshot), currentDirectory: "/")
            seen.append(found.location.container)
            variables[try #require(found.variable)] = ""
        }
        #expect(seen == ["first", "second", "third", "fourth", "fifth"])
        let error = try #require(refusal("S3_PREFIX", variables, role: .snapshot))
        #expect(error.reason == .missingVariable)
        for name in ["SNAPSHOT_S3_PREFIX", "S3_PREFIX", "WALG_S3_PREFIX"] { #expect(error.description.contains(name)) }
    }

    @Test("a URI was read from no variable")
    func noVariable() throws {
        let environment = RoleEnvironment(["S3_PREFIX": "s3://bucket"], role: nil)
        #expect(
            try StorageLocation.resolve("s3://other", environment: environment, currentDirectory: "/").variable == nil)
    }

    @Test(
        "a variable with another thing in it is refused by name",
        arguments: [
            ("gs://bucket/x", "use GS_PREFIX"), ("S3_PREFIX", "neither a URI"), ("/srv/x", "use FILE_PREFIX"),
            ("bucket/x", "neither a URI"),
        ])
    func wrongContent(value: String, part: String) throws {
        let error = try #require(refusal("S3_PREFIX", ["WALG_S3_PREFIX": value]))
        #expect(error.description.hasPrefix("WALG_S3_PREFIX: "))
        #expect(error.description.contains(part), "\(error)")
    }
}
