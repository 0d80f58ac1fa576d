import ArgumentParser
import Foundation
import Testing

@testable import CommandKit

@Suite struct ConfigurationTests {
    @Test("option, environment, file, default: in this order, each with its origin")
    func precedence() async throws {
        try await withTemporaryDirectory { directory in
            try write(
                """
                # a comment
                storage_dest = "s3://file/prefix"
                workers = 3
                snapshot_interval = "10min"
                pg_user = "alice"
                """, to: directory + "/zenith.toml")
            var storage = StorageOptions()
            storage.storageDest = "s3://option/prefix"
            let configuration = try Configuration.load(
                directory: directory, options: [storage],
                environment: [
                    "ZENITH_STORAGE_DEST": "s3://environment/prefix", "ZENITH_WORKERS": "4", "ZENITH_PG_USER": "",
                ])
            #expect(configuration[Settings.storageDest]?.text == "s3://option/prefix")
            #expect(configuration.entry(Settings.storageDest).origin == .option("--storage-dest"))
            #expect(configuration[Settings.workers] == 4)
            #expect(configuration.entry(Settings.workers).origin == .environment("ZENITH_WORKERS"))
            #expect(configuration[Settings.snapshotInterval] == .seconds(600))
            #expect(
                configuration.entry(Settings.snapshotInterval).origin
                    == .file(path: directory + "/zenith.toml", line: 4))
            #expect(configuration[Settings.pgUser] == "alice", "an empty variable counts as not set")
            #expect(configuration[Settings.snapshotWAL] == ByteSize(bytes: 1 << 30))
            #expect(configuration.entry(Settings.snapshotWAL).origin == .standard)
            #expect(configuration[Settings.walSource] == nil)
        }
    }

    @Test("all faults are named at once, with line and nearest name")
    func allFaults() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory + "/zenith.toml"
            try write(
                """
                storage_dst = "s3://b/p"
                workers = 0
                snapshot_interval = 5
                snapshot_path = "s3://b/q"
                cache_size = true

                [server]
                port = 1
                """, to: path)
            let failure = #expect(throws: CommandFailure.self) {
                try Configuration.load(
                    directory: directory, environment: ["ZENITH_LOG_LEVL": "info", "ZENITH_LISTEN_PG": "nowhere"])
            }
            #expect(failure?.status == .configuration)
            #expect(failure?.message == "the configuration has 8 faults")
            let details = try #require(failure?.details)
            #expect(details.contains("\(path):1: unknown key storage_dst; did you mean storage_dest?"))
            #expect(details.contains("\(path):2: workers is not in 1 … 1024"))
            #expect(details.contains("\(path):3: snapshot_interval '5' needs a unit, such as 30s or 5min"))
            #expect(
                details.contains(
                    "\(path):4: snapshot_path is used once, by an option, and never kept in the configuration"))
            #expect(details.contains { $0.hasPrefix("\(path):5: cache_size needs a text or a number") })
            #expect(details.contains("\(path):7: unknown key server"))
            #expect(
                details.contains("unknown environment variable ZENITH_LOG_LEVL; did you mean ZENITH_LOG_LEVEL?"))
            #expect(details.contains { $0.hasPrefix("ZENITH_LISTEN_PG 'nowhere'") })
        }
    }

    @Test("a file that is no TOML is named with its line")
    func noTOML() async throws {
        try await withTemporaryDirectory { directory in
            try write("workers = 1\nstorage_dest = \"s3://b\nworkers = 2\nx", to: directory + "/zenith.toml")
            let failure = #expect(throws: CommandFailure.self) {
                try Configuration.load(directory: directory, environment: [:])
            }
            #expect(failure?.status == .configuration)
            #expect(
                failure?.details == [
                    "\(directory)/zenith.toml:2: a text has no closing \"",
                    "\(directory)/zenith.toml:3: workers is given twice",
                    "\(directory)/zenith.toml:4: '=' is missing behind x: there is the end of the file",
                ])
        }
    }

    @Test("what is written is read again, commented, and closed to others")
    func roundTrip() async throws {
        try await withTemporaryDirectory { directory in
            let odd = #"/srv/a "quoted" \ path"#
            try ConfigurationFile.write(
                values: ["storage_dest": odd, "workers": "7", "snapshot_interval": "90s"], directory: directory)
            let configuration = try Configuration.load(directory: directory, environment: [:])
            #expect(configuration[Settings.storageDest]?.text == odd)
            #expect(configuration[Settings.workers] == 7)
            #expect(configuration[Settings.snapshotInterval] == .seconds(90))
            let path = directory + "/zenith.toml"
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            #expect(mode == 0o600)
            let text = try readText(path)
            for setting in Settings.all { #expect(text.contains(setting.meaning), "\(setting.key) is explained") }
            #expect(text.contains("\n#cache_size = \"1GB\"\n"))
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["zenith.toml"])
        }
    }

    @Test("each comment in a new file is right when its mark is taken away")
    func examplesParse() throws {
        let lines = ConfigurationFile.text(values: [:]).split(separator: "\n")
            .filter { $0.hasPrefix("#") && !$0.hasPrefix("# ") }.map { $0.dropFirst() }
        let content = ConfigurationFile.parse(lines.joined(separator: "\n"), path: "f")
        #expect(content.faults.isEmpty)
        #expect(lines.count == Settings.all.count)
        for (key, value) in content.values {
            let setting = try #require(Settings.all.first { $0.key == key })
            #expect(throws: Never.self) { try setting.normalized(value.text) }
        }
    }

    @Test("every setting has an option in one of the groups")
    func everyOption() throws {
        let groups: [any SettingSource] = [
            try CommonOptions.parse([]), try StorageOptions.parse([]), try PostgresOptions.parse([]),
            try EffortOptions.parse([]), try IngestOptions.parse([]), try ServerOptions.parse([]),
            try WALOptions.parse([]), try WALSourceOptions.parse([]), try ReceiverOptions.parse([]),
        ]
        #expect(groups.flatMap(\.settings).map(\.key).sorted() == Settings.all.map(\.key).sorted())
    }

    @Test("a value that is missing is asked for by every name it has")
    func required() throws {
        let configuration = try Configuration(directory: "/d", options: [], environment: [:], file: nil)
        let failure = #expect(throws: CommandFailure.self) { try configuration.required(Settings.storageDest) }
        #expect(failure?.status == .configuration)
        #expect(
            failure?.hint
                == "give --storage-dest, set ZENITH_STORAGE_DEST, or write storage_dest = … in /d/zenith.toml")
    }
}
