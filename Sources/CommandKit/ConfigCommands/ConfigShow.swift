public import ArgumentParser
import ObjectStorage
import StorageURI

/// `config show`: every effective value, and where it came from.
public struct ConfigShow<Program: ConfiguredProgram>: ParsableCommand {
    public static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "show", abstract: "Print every effective value, and where it came from; secrets are redacted.")
    }

    @OptionGroup var options: ConfigOptions<Program>
    @OptionGroup var output: OutputOptions

    public init() {}

    public func run() throws {
        let environment = environmentVariables()
        let configuration = try Configuration.load(
            directory: options.common.directory, options: options.sources, environment: environment)
        let storages = options.storages(configuration, roles: Program.storageRoles, environment: environment)
        let shown = try storages.map { try ShownStorage($0, environment: environment) }
        if output.json {
            try printJSON(
                ShownConfiguration(
                    directory: configuration.directory, file: configuration.hasFile ? configuration.filePath : nil,
                    settings: configuration.entries.map(ShownSetting.init), storages: shown))
            return
        }
        var table = Table(("SETTING", .left), ("VALUE", .left), ("FROM", .left))
        for setting in configuration.entries.map(ShownSetting.init) {
            table.add(setting.key, setting.value ?? "-", setting.value == nil ? "not set" : setting.origin)
        }
        table.print()
        for storage in shown { storage.print() }
    }
}

private struct ShownConfiguration: Encodable {
    let directory: String
    let file: String?
    let settings: [ShownSetting]
    let storages: [ShownStorage]
}

private struct ShownSetting: Encodable {
    let key: String
    /// Absent where nothing is set and there is no default.
    let value: String?
    let origin: String

    init(_ entry: Configuration.Entry) {
        key = entry.declaration.key
        value = entry.declaration.isSecret ? entry.text.map { _ in "<redacted>" } : entry.text
        origin = "\(entry.origin)"
    }
}

private struct ShownStorage: Encodable {
    struct Variable: Encodable {
        let name: String
        let value: String
    }
    let name: String
    let location: String
    let variables: [Variable]

    init(_ storage: NamedStorage, environment: [String: String]) throws {
        let roleEnvironment = RoleEnvironment(environment, role: storage.role)
        let found = try Storages.location(storage.text, role: storage.role, environment: environment)
        name = storage.name
        location = found.description
        do {
            let inspection = try ObjectStores.backend(found.scheme).inspect(found, roleEnvironment)
            variables = inspection.variables.map { Variable(name: $0.name, value: $0.text ?? "<redacted>") }
        } catch { throw CommandFailure(.configuration, "\(storage.name): \(error)") }
    }

    func print() {
        StandardOutput.line("\n\(name): \(location)")
        for variable in variables { StandardOutput.line("  \(variable.name) = \(variable.value.onOneLine)") }
    }
}
