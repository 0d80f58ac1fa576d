import ArgumentParser

extension StorageCommand {
    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "check", abstract: "Find out whether a storage works, and why not.",
            discussion: """
                Finds the credentials, writes a small object, makes sure that it is not overwritten, reads a part of it, \
                lists it, compares clocks and removes it. Exits as `zenith config check` does.
                """)

        @OptionGroup var options: StorageClientOptions
        @OptionGroup var output: OutputOptions
        @Flag(help: "Ask no service: look at the location, the variables and the credentials only.")
        var offline = false
        @Flag(help: "Also write and read back an object of 64 MiB, as large ones go up in parts.")
        var thorough = false

        func run() async throws {
            let environment = environmentVariables()
            var report = CheckReport()
            var variables = CheckReport.Subject(name: "environment")
            variables.noteMisspelt(environment)
            if !variables.facts.isEmpty {
                variables.verdict = "see above"
                report.add(variables)
            }
            let storage = NamedStorage(
                name: "storage", text: options.storage, origin: "argument", role: try options.storageRole())
            await StorageCheck(
                storage: storage, environment: environment, isOffline: offline, isThorough: thorough
            ).run(&report)
            try report.print(asJSON: output.json)
        }
    }
}
