import Foundation
import TestSupport
import Testing

@Suite("Real clusters for tests")
struct PostgresClusterTests {
    @Test("starts, answers, stops, crashes and opens again", arguments: PostgresInstallation.majors)
    func lifecycle(major: Int) throws {
        let cluster = try PostgresCluster(major: major, .init(walSegmentMegabytes: 1))
        try cluster.start()
        #expect(try cluster.psql("show server_version_num").hasPrefix(String(major)))
        try cluster.psql("create table t as select 1 as a; vacuum t;")
        #expect(throws: PostgresTestError.self) { try cluster.psql("select * from nowhere") }
        let postmaster = try #require(cluster.postmasterPID)
        try cluster.crash()
        #expect(!FileManager.default.fileExists(atPath: "/proc/\(postmaster)"))
        #expect(cluster.port == nil)
        #expect(FileManager.default.fileExists(atPath: cluster.dataDirectory + "/postmaster.pid"))

        let opened = try PostgresCluster.open(cluster.dataDirectory)
        try opened.start()
        #expect(try opened.psql("select a from t") == "1")
        try opened.stop()
        #expect(try opened.run("pg_controldata", [cluster.dataDirectory]).contains("shut down\n"))
    }

    @Test("nothing is left behind")
    func leavesNothing() throws {
        var cluster: PostgresCluster? = try PostgresCluster(major: 15)
        try cluster?.start()
        let postmaster = try #require(cluster?.postmasterPID)
        let directory = try #require(cluster?.directory)
        cluster = nil
        #expect(!FileManager.default.fileExists(atPath: "/proc/\(postmaster)"))
        #expect(!FileManager.default.fileExists(atPath: directory))
    }

    @Test("a server that does not start says why")
    func doesNotStart() throws {
        let cluster = try PostgresCluster(major: 15, .init(configuration: ["no_such_setting = 1"]))
        let error = #expect(throws: PostgresTestError.self) { try cluster.start() }
        #expect(error?.description.contains("no_such_setting") == true)
        #expect(cluster.port == nil)
    }

    private static let abandonedAt = ProcessInfo.processInfo.environment["ZENITH_TEST_ABANDON"]

    /// Runs in a process of its own, below.
    @Test("(is killed while its server runs)", .enabled(if: abandonedAt != nil))
    func abandoned() throws {
        let cluster = try PostgresCluster(major: 15)
        try cluster.start()
        let facts = "\(try #require(cluster.postmasterPID)) \(cluster.directory)"
        try facts.write(toFile: try #require(Self.abandonedAt), atomically: true, encoding: .utf8)
        sleep(60)
    }

    @Test("nothing is left behind by tests that are killed", .timeLimit(.minutes(30)))
    func leavesNothingWhenKilled() throws {
        let path = NSTemporaryDirectory() + "zenith-abandoned-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = ["--filter", "PostgresClusterTests.*abandoned", "--testing-library", "swift-testing"]
        process.environment = ProcessInfo.processInfo.environment.merging(["ZENITH_TEST_ABANDON": path]) { $1 }
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        func waitUntil(_ condition: () -> Bool) {
            for _ in 0..<600 where !condition() { usleep(50_000) }
        }
        waitUntil { FileManager.default.fileExists(atPath: path) }
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        let facts = try String(contentsOfFile: path, encoding: .utf8).split(separator: " ").map(String.init)
        let remains = ["/proc/" + facts[0], facts[1]]
        waitUntil { remains.allSatisfy { !FileManager.default.fileExists(atPath: $0) } }
        for remainder in remains { #expect(!FileManager.default.fileExists(atPath: remainder)) }
    }
}
