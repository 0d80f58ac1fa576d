public import ArgumentParser

/// `config check`: whether what is configured or given can work, with all faults at once.
public struct ConfigCheck<Program: ConfiguredProgram>: AsyncParsableCommand {
    public static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "check", abstract: "Find out whether what is configured or given works.",
            discussion: """
                Reads the configuration, finds the credentials of each storage, and proves each storage with a small \
                object that it writes, reads, lists and deletes. Where WAL comes from a primary, looks at its settings \
                too. Prints a line a fact and a verdict a storage.

                Exits with 78 when the configuration is at fault, with 77 when credentials are missing or refused, with \
                69 when a storage cannot be reached.
                """)
    }

    @OptionGroup var options: ConfigOptions<Program>
    @OptionGroup var output: OutputOptions

    @Flag(help: "Ask no service: read the configuration and the credentials only.")
    var offline = false

    @Flag(help: "Also write and read back an object of 64 MiB, as large ones go up in parts.")
    var thorough = false

    public init() {}

    public func run() async throws {
        let environment = environmentVariables()
        var report = CheckReport()
        var settings = CheckReport.Subject(name: "configuration")
        do throws(CommandFailure) {
            let configuration = try Configuration.load(
                directory: options.common.directory, options: options.sources, environment: environment)
            let given = configuration.entries.filter { $0.origin != .standard }.count
            let file = configuration.hasFile ? configuration.filePath : "no \(configuration.filePath)"
            settings.note("settings", "\(file); \(given) given, \(configuration.entries.count - given) by default")
            settings.noteMisspelt(environment)
            settings.verdict = "good"
            report.add(settings)
            if Program.callsPostgres { await checkPostgres(configuration, environment, &report) }
            let storages = options.storages(configuration, roles: Program.storageRoles, environment: environment)
            if configuration[Settings.storageDest] == nil, options.snapshotPath == nil {
                var subject = CheckReport.Subject(name: "storage_dest")
                subject.note("location", .warning, "not set: give --storage-dest to check one")
                subject.verdict = "not set"
                report.add(subject)
            }
            for storage in storages {
                let check = StorageCheck(
                    storage: storage, environment: environment, isOffline: offline, isThorough: thorough)
                await check.run(&report)
            }
            await Program.check(configuration, isOffline: offline, into: &report)
        } catch {
            settings.fail("fault", error, &report)
            settings.noteMisspelt(environment)
            settings.verdict = "faulty"
            report.add(settings)
        }
        try report.print(asJSON: output.json)
    }

    private func checkPostgres(
        _ configuration: Configuration, _ environment: [String: String], _ report: inout CheckReport
    ) async {
        var subject = CheckReport.Subject(name: "PostgreSQL")
        do {
            let programs = try PostgresPrograms(configuration, environment: environment)
            let user = programs.identity.map { ", run as \($0.name)" } ?? ""
            subject.note("programs", "\(programs.directory) (\(programs.source))\(user)")
            subject.note("version", "\(try await programs.majorVersion())")
            subject.verdict = "found"
        } catch {
            let failure = CommandFailure(error)
            // Only what makes or runs a cluster needs them: where none was asked for, it is no fault that none is there.
            if configuration[Settings.pgBin] == nil {
                subject.note("programs", .warning, failure.message)
                subject.verdict = "not found: init without --snapshot-path needs it"
            } else {
                subject.fail("programs", failure, &report)
                subject.verdict = "not usable"
            }
        }
        report.add(subject)
    }
}

extension CheckReport.Subject {
    fileprivate mutating func note(_ name: String, _ detail: String) { note(name, .ok, detail) }
}
