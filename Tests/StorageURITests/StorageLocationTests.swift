import StorageURI
import Testing

func parse(
    _ text: String, _ variables: [String: String] = [:], role: StorageRole? = nil, in directory: String = "/home/me"
) throws(StorageLocationError) -> StorageLocation {
    try StorageLocation(
        parsing: text, environment: RoleEnvironment(variables, role: role), currentDirectory: directory)
}

/// The message of the refusal; nil when the text is accepted.
func refusal(_ text: String, _ variables: [String: String] = [:], role: StorageRole? = nil) -> StorageLocationError? {
    do throws(StorageLocationError) {
        _ = try parse(text, variables, role: role)
        return nil
    } catch { return error }
}

@Suite("locations")
struct StorageLocationTests {
    @Test(
        "every form has one normal form",
        arguments: [
            ("s3://bucket/prefix", "s3://bucket/prefix"),
            ("S3://bucket/a/b//", "s3://bucket/a/b"),
            ("s3://bucket", "s3://bucket"), ("s3://bucket/", "s3://bucket"),
            ("s3://Old_Bucket.x/a%20b%25c", "s3://Old_Bucket.x/a%20b%25c"),
            ("s3://bucket/a b+c=d@e:f", "s3://bucket/a%20b+c=d@e:f"),
            ("s3://bucket/gr%C3%BCn/日本", "s3://bucket/grün/日本"),
            ("gs://my_bucket/x", "gs://my_bucket/x"),
            ("az://container/x", "azure://container/x"), ("azure://$root/x", "azure://$root/x"),
            ("swift://my container/x", "swift://my%20container/x"), ("swift://c%3Ad/x", "swift://c%3Ad/x"),
            ("oss://bucket/x", "oss://bucket/x"),
            ("ssh://host/srv/x/", "ssh://host/srv/x"), ("sftp://HOST/srv", "ssh://host/srv"),
            ("ssh://me@host:2222/srv", "ssh://me@host:2222/srv"), ("ssh://a%40b@host/srv", "ssh://a%40b@host/srv"),
            ("ssh://[FE80::1]:22/a@b", "ssh://[fe80::1]:22/a@b"), ("ssh://me@[::1]/srv", "ssh://me@[::1]/srv"),
            ("ssh://host:22/a@b", "ssh://host:22/a@b"), ("ssh://host/", "ssh://host/"),
            ("file:///srv/x", "file:///srv/x"), ("file://localhost/srv//x/./y/..", "file:///srv/x"),
            ("/srv/x/", "file:///srv/x"), ("/srv/a%20b?c#d", "file:///srv/a%2520b%3Fc%23d"),
            ("./x", "file:///home/me/x"), ("../x", "file:///home/x"), (".", "file:///home/me"),
            ("../../../x", "file:///x"), ("/ünï/x y", "file:///ünï/x%20y"),
        ])
    func normalForm(text: String, normal: String) throws {
        let location = try parse(text)
        #expect(location.description == normal)
        let again = try parse(location.description)
        #expect(again == location)
        #expect(Array(again.path.utf8) == Array(location.path.utf8))
    }

    @Test("the parts are decoded")
    func parts() throws {
        let s3 = try parse("s3://bucket/a%20b/c")
        #expect((s3.scheme, s3.container, s3.path) == (.s3, "bucket", "a b/c"))
        #expect(try parse("s3://bucket").path == "")
        let ssh = try parse("sftp://me@[::1]:2222/srv")
        #expect((ssh.scheme, ssh.container, ssh.path) == (.ssh, "::1", "/srv"))
        #expect((ssh.user, ssh.port) == ("me", 2222))
        let file = try parse("/srv/100%")
        #expect((file.scheme, file.container, file.path) == (.file, "", "/srv/100%"))
        #expect(StorageLocation(scheme: .s3, container: "b", path: "p").description == "s3://b/p")
    }

    @Test(
        "what is no location is refused, with the reason",
        arguments: [
            ("", "is empty"), (" s3://bucket", "space"), ("\"s3://bucket/x\"", "unknown scheme"),
            ("s3:/bucket/x", "write s3://bucket/prefix"), ("s3:bucket", "write s3://bucket/prefix"),
            ("s3://", "has no bucket"), ("s3:///x", "has no bucket"), ("s3://ab/x", "2 characters"),
            ("s3://-abc/x", "begin and end"), ("s3://a..b/x", "two dots"), ("s3://bücket/x", "“ü”"),
            ("s3://bucket:9000/x", "AWS_ENDPOINT_URL"), ("s3://me@bucket/x", "has a user"),
            ("s3://bucket//x", "two slashes"), ("s3://bucket/a//b", "two slashes"), ("s3://bucket/../x", "“..”"),
            ("s3://bucket/a/%2e%2E", "“..”"), ("s3://bucket/./x", "“.”"),
            ("s3://bucket/x?versionId=1", "query"), ("s3://bucket/x#y", "fragment"), ("s3://bucket?x", "query"),
            ("s3://bucket/100%", "%25"), ("s3://bucket/%zz", "%25"), ("s3://bucket/%ff", "%25"),
            ("s3://bucket/%00", "%25"), ("s3://bucket/%1b[2J", "%25"), ("s3://bucket/\u{7}", "control character"),
            ("s3://bucket/\u{FFFD}", "not UTF-8"), ("s3://bucket/\u{202E}x", "control character"),
            ("s3://bucket/" + String(repeating: "a", count: 769), "768 bytes"),
            ("s3://bucket/" + String(repeating: "a", count: 9000), "longer than 8192"),
            ("gs://Bucket/x", "small letters"), ("azure://a--b/x", "two dots or hyphens"), ("oss://a.b.c/x", "“.”"),
            ("swift://a%2Fb/x", "slash"), ("swift://..", "“..”"),
            ("ssh://host", "no path"), ("ssh:///x", "no host"), ("ssh://host:0/x", "port"),
            ("ssh://host:65536/x", "port"), ("ssh://host:/x", "port"), ("ssh://@host/x", "user name"),
            ("ssh://-oProxyCommand@host/x", "user name"), ("ssh://-x/x", "host name"), ("ssh://[::1/x", "["),
            ("ssh://[abc]/x", "host name"), ("ssh://ho$t/x", "host name"), ("ssh://host:+22/x", "port"),
            ("file://srv/x", "three slashes"), ("file:///", "root directory"), ("file://", "no path"),
            ("/", "root directory"), ("/srv/..", "root directory"), ("~/x", "the shell's"),
            ("backups", "begins with ./"),
            ("me@host:/srv", "ssh://"), ("/" + String(repeating: "a", count: 256), "255 bytes"),
            ("/srv/a\u{0}b", "control character"), ("s3://bucket/\u{301}x", "combining"), ("/a/\u{301}", "combining"),
            ("S3_PREFX", "did you mean the variable S3_PREFIX"),
        ])
    func malformed(text: String, part: String) throws {
        let error = try #require(refusal(text))
        #expect(error.description.contains(part), "\(error)")
        #expect(error.description.utf8.count < 700)
        #expect(!error.description.unicodeScalars.contains { $0.value < 0x20 })
    }

    @Test(
        "an unknown scheme is answered with the nearest known",
        arguments: [
            ("s4://bucket/x", "did you mean s3?"), ("s3a://bucket/x", "did you mean s3?"),
            ("gcs://bucket/x", "did you mean gs?"), ("azur://container/x", "did you mean azure?"),
            ("scp://host/x", "did you mean ssh?"), ("flie:///x", "did you mean file?"),
            ("https://minio:9000/bucket", "AWS_ENDPOINT_URL"), ("postgres://host/x", "known: s3, gs, azure (az)"),
        ])
    func unknownScheme(text: String, part: String) throws {
        let error = try #require(refusal(text))
        #expect(error.reason == .unknownScheme)
        #expect(error.description.contains(part), "\(error)")
    }

    @Test(
        "a password is refused, not shown, and its variable named",
        arguments: [
            ("ssh://me:hunter2secret@host/x", "SSH_PASSWORD"), ("ssh://me:hunter2secret/more@host/x", "SSH_PASSWORD"),
            ("ssh://me:hunter2secret?more@host/x", "SSH_PASSWORD"), ("s3://AKIA:hunter2secret@bucket/x", "AWS_SECRET"),
            ("azure://acc:hunter2secret@container/x", "AZURE_STORAGE_ACCESS_KEY"),
            ("swift://me:hunter2secret@c/x", "OS_PASSWORD"), ("oss://k:hunter2secret@bucket", "OSS_ACCESS_KEY_SECRET"),
            ("gs://k:hunter2secret@bucket", "GOOGLE_APPLICATION_CREDENTIALS"),
        ])
    func password(text: String, variable: String) throws {
        let error = try #require(refusal(text))
        #expect(error.reason == .secretInText)
        #expect(error.description.contains(variable), "\(error)")
        #expect(!error.description.contains("hunter2"), "\(error)")
        let indirect = try #require(refusal("SSH_PREFIX", ["WALG_SSH_PREFIX": text]))
        #expect(!indirect.description.contains("hunter2") && indirect.description.hasPrefix("WALG_SSH_PREFIX: "))
    }

    @Test(
        "no refusal shows what may be a secret",
        arguments: [
            "https://me:hunter2@host/x", "me:hunter2@host:/x", "ssh://me:hunter2@\u{301}host/x",
            "azure://container/x?sv=2020&sig=hunter2", "s3://bucket/x?X-Amz-Signature=hunter2", "x:hunter2@y://z",
            "foo://hunter2@x/y", "s3://AKIA:hunter2", "s3://hunter2@bucket/x", "file://me:hunter2@localhost/x",
            "ssh://me:\u{1}hunter2@host/x",
        ])
    func redaction(text: String) throws {
        let error = try #require(refusal(text))
        #expect(!error.description.contains("hunter2"), "\(error)")
    }

    @Test("a message shows the location as it was given")
    func messageShowsLocation() {
        #expect(refusal("s4://bucket/prefix")?.description.contains("s4://bucket/prefix") == true)
        #expect(refusal("s3://key:word@bucket/prefix")?.description.contains("s3://…@bucket/prefix") == true)
    }
}
