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
}
