import Foundation
import Glibc
import TestSupport
import Testing

/// Who may take WAL from a safekeeper: by password, over TLS, and what changes while it runs.
@Suite("who may connect to a safekeeper", .serialized, .timeLimit(.minutes(10)))
struct SafekeeperAccessTests {
    /// A certificate for `localhost`, signed by itself.
    private func makeCertificate(_ place: SafekeeperPlace) throws -> (certificate: String, key: String) {
        let (certificate, key) = (place.path + "/server.crt", place.path + "/server.key")
        try run([
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
            "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out",
            certificate,
        ]).check()
        // PostgreSQL's programs run as another user.
        chmod(certificate, 0o644)
        chmod(key, 0o600)
        return (certificate, key)
    }

    private func write(_ text: String, to path: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        chmod(path, 0o600)
    }

    /// What `IDENTIFY_SYSTEM` answers, asked of the safekeeper.
    private func identify(_ place: SafekeeperPlace, _ words: String, password: String = "") throws -> ShellResult {
        try PostgresInstallation.require(major: 15).run(
            "psql",
            [
                "host=localhost hostaddr=127.0.0.1 port=\(place.port) replication=true \(words)", "-wXAtc",
                "IDENTIFY_SYSTEM",
            ],
            environment: ["PGPASSWORD": password, "HOME": "/nonexistent"])
    }

    private func identifier(_ cluster: PostgresCluster) throws -> String {
        try cluster.psql("select system_identifier from pg_control_system()")
    }

    private func hangUp(_ place: SafekeeperPlace) throws {
        let pid = try String(contentsOfFile: place.directory + "/safekeeper.pid", encoding: .utf8)
        try #require(Glibc.kill(try #require(Int32(pid.trimmingCharacters(in: .newlines))), SIGHUP) == 0)
    }

    @Test("the primary's own verifiers let its users in, over TLS alone, and SIGHUP takes over what changed")
    func passwords() throws {
        let primary = try PostgresCluster.primary()
        try primary.psql(
            "set password_encryption = 'scram-sha-256'; create role standby replication login password 'one'")
        try primary.psql("create role other replication login password 'two'")
        let line = { (role: String) in
            try primary.psql(
                #"select format('"%s" "%s"', rolname, rolpassword) from pg_authid where rolname = '\#(role)'"#)
        }
        let place = try SafekeeperPlace()
        let (certificate, key) = try makeCertificate(place)
        let users = place.path + "/users.txt"
        try write("; who may\n\(try line("standby"))\n", to: users)
        try place.initialize(primary)
        try place.succeed("start", "--auth-file", users, "--ssl-cert-file", certificate, "--ssl-key-file", key)

        let tls = "sslmode=verify-full sslrootcert=\(certificate)"
        let right = try identify(place, "user=standby channel_binding=require \(tls)", password: "one")
        let identifier = try identifier(primary)
        #expect(right.status == 0 && right.output.hasPrefix(identifier), "\(right.error)")
        for (words, password, complaint) in [
            ("user=standby sslmode=disable", "one", "connections without TLS are not accepted"),
            ("user=standby \(tls)", "two", "password authentication failed"),
            ("user=other \(tls)", "two", "password authentication failed"),
        ] {
            let wrong = try identify(place, words, password: password)
            #expect(wrong.status != 0 && wrong.error.contains(complaint), "\(words): \(wrong.error)")
        }

        // A receiver that is connected stays so, whatever changes.
        let received = primary.directory + "/received"
        try primary.run("/bin/mkdir", [received])
        let receiver = Process()
        receiver.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        receiver.arguments =
            ["--default-signal"] + PostgresInstallation.asServerUser + [
                "env", "PGPASSWORD=one", "HOME=/nonexistent",
                try PostgresInstallation.require(major: 15).bin + "/pg_receivewal", "-wn",
                "-D", received, "-d", "host=localhost hostaddr=127.0.0.1 port=\(place.port) user=standby \(tls)",
            ]
        try receiver.run()
        defer {
            receiver.terminate()
            receiver.waitUntilExit()
        }
        try place.await("consumers") { ($0 as? [[String: Any]])?.isEmpty == false }

        try write("\(try line("other"))\n", to: users)
        _ = try makeCertificate(place)
        try hangUp(place)
        try place.eventually { try identify(place, "user=other \(tls)", password: "two").status == 0 }
        #expect(try identify(place, "user=standby \(tls)", password: "one").status != 0)
        #expect(receiver.isRunning)

        // What cannot be read changes nothing.
        try write("\"other\" \"plain\"\n", to: users)
        try hangUp(place)
        try place.eventually { place.log.contains("the replication port goes on as it was") }
        #expect(place.log.contains("line 1: what stands behind \"other\" is not of SCRAM-SHA-256"))
        #expect(!place.log.contains("plain"))
        #expect(try identify(place, "user=other \(tls)", password: "two").status == 0)
    }

    @Test("files that are not what they should be are told before anything starts")
    func faults() throws {
        let primary = try PostgresCluster.primary()
        let place = try SafekeeperPlace()
        let (certificate, key) = try makeCertificate(place)
        let users = place.path + "/users.txt"
        try place.initialize(primary)
        func refuse(_ options: [String], _ complaint: String, sourceLocation: SourceLocation = #_sourceLocation) throws
        {
            let result = try place.safekeeper(["start"] + options)
            #expect(
                result.status == 78 && result.error.contains(complaint), "\(result.status) \(result.error)",
                sourceLocation: sourceLocation)
        }
        try refuse(["--ssl-cert-file", certificate], "ssl_cert_file and ssl_key_file: one is set")
        try refuse(["--ssl-cert-file", key, "--ssl-key-file", key], "cannot be used")
        try refuse(["--auth-file", users], "No such file")
        try write("\"a\" \"md5abc\"\n", to: users)
        try refuse(["--auth-file", users], "line 1")
        chmod(users, 0o644)
        try refuse(["--auth-file", users], "can be read by others")
        chmod(key, 0o604)
        try refuse(["--ssl-cert-file", certificate, "--ssl-key-file", key], "can be read by others")
        try place.succeed("start", "--listen-pg", "0.0.0.0:\(place.port)")
        #expect(place.log.contains("without auth_file only this machine may connect"))
    }
}
