import Logging
import StorageURI
import SystemPackage

/// The effective settings of one installation, each with where its value came from.
///
/// What is given for a setting is looked for in this order: the option, the environment, the file `DIR/zenith.toml`,
/// the default. A file or a variable that is wrong is a fault even where something else wins.
public struct Configuration: Sendable {
    /// Where a value came from.
    public enum Origin: Sendable, Hashable, CustomStringConvertible {
        case option(String)
        case environment(String)
        case file(path: String, line: Int)
        case standard

        public var description: String {
            switch self {
            case .option(let name): "option \(name)"
            case .environment(let name): "environment \(name)"
            case .file(let path, let line): "file \(path):\(line)"
            case .standard: "default"
            }
        }
    }

    /// A setting's value and its origin; `text` is nil where nothing is given and there is no default.
    public struct Entry: Sendable {
        public let declaration: any SettingDeclaration
        public let text: String?
        public let origin: Origin
    }

    /// The installation's directory, absolute.
    public let directory: String
    /// One entry for each of `Settings.all`, in that order.
    public let entries: [Entry]
    /// True when `DIR/zenith.toml` is there.
    public let hasFile: Bool

    public static let fileName = "zenith.toml"
    public var filePath: String { directory + "/" + Self.fileName }

    /// Reads everything that is given. All faults are found before any is thrown.
    ///
    /// - Parameters:
    ///   - directory: The installation's directory, absolute. It need not exist.
    ///   - options: The option groups of the command.
    ///   - environment: The process's environment.
    /// - Throws: `CommandFailure` with `.configuration`; with `.usage` when only options are at fault; with
    ///   `.permission` when the file may not be read.
    public static func load(
        directory: String, options: [any SettingSource] = [],
        environment: [String: String] = environmentVariables()
    ) throws(CommandFailure) -> Configuration {
        let path = directory + "/" + fileName
        let text: String?
        do {
            text = try readTextFile(path)
        } catch .noSuchFileOrDirectory {
            text = nil
        } catch {
            throw CommandFailure(
                error == .permissionDenied ? .permission : .configuration, "cannot read \(path): \(error)")
        }
        let file = text.map { ConfigurationFile.parse($0, path: path) }
        return try Configuration(
            directory: directory, options: options.flatMap(\.settings), environment: environment, file: file)
    }

    init(
        directory: String, options: [(key: String, text: String?)], environment: [String: String],
        file: ConfigurationFile.Content?
    ) throws(CommandFailure) {
        var faults = file?.faults ?? []
        var optionFaults: [String] = []
        var entries: [Entry] = []
        for declaration in Settings.all {
            var candidates: [(text: String, origin: Origin)] = []
            if let given = options.last(where: { $0.key == declaration.key && $0.text != nil }) {
                candidates.append((given.text ?? "", .option("--" + declaration.optionName)))
            }
            // As with most variables, an empty one counts as not set.
            if let given = environment[declaration.environmentName], !given.isEmpty {
                candidates.append((given, .environment(declaration.environmentName)))
            }
            if let file, let given = file.values[declaration.key] {
                candidates.append((given.text, .file(path: file.path, line: given.line)))
            }
            var winner: Entry?
            for candidate in candidates {
                do {
                    let text = try declaration.normalized(candidate.text)
                    winner = winner ?? Entry(declaration: declaration, text: text, origin: candidate.origin)
                } catch {
                    switch candidate.origin {
                    case .option(let name): optionFaults.append("\(name) \(error.reason)")
                    case .environment(let name): faults.append("\(name) \(error.reason)")
                    case .file(let path, let line):
                        faults.append("\(path):\(line): \(declaration.key) \(error.reason)")
                    case .standard: break
                    }
                }
            }
            entries.append(
                winner ?? Entry(declaration: declaration, text: declaration.defaultText, origin: .standard))
        }
        faults += Self.misspeltVariables(environment)
        let status: ExitStatus = faults.isEmpty ? .usage : .configuration
        let all = optionFaults + faults
        if all.count == 1 { throw CommandFailure(status, all[0]) }
        if !all.isEmpty { throw CommandFailure(status, "the configuration has \(all.count) faults", details: all) }
        self.directory = directory
        self.entries = entries
        self.hasFile = file != nil
    }

    /// `ZENITH_…` variables that name no setting.
    private static func misspeltVariables(_ environment: [String: String]) -> [String] {
        let known = Settings.all.map(\.environmentName) + Self.otherVariables
        return environment.keys.filter { $0.hasPrefix("ZENITH_") && !known.contains($0) }.sorted().map { name in
            let nearest = NearestName.find(name, in: known).map { "; did you mean \($0)?" } ?? ""
            return "unknown environment variable \(name)\(nearest)"
        }
    }

    /// Variables with our prefix that are no settings.
    static let otherVariables = ["ZENITH_DIR", Readiness.variable]

    /// The value of a setting, or nil where there is none.
    public subscript<Value>(_ setting: Setting<Value>) -> Value? {
        guard let text = entry(setting).text else { return nil }
        // Every text of an entry was printed by this very type.
        return try? setting.parse(text)
    }

    /// The value of a setting that the command cannot do without.
    public func required<Value>(_ setting: Setting<Value>) throws(CommandFailure) -> Value {
        if let value = self[setting] { return value }
        throw CommandFailure(
            .configuration, "\(setting.key) is not set",
            hint: "give --\(setting.optionName), set \(setting.environmentName), or write \(setting.key) = … in "
                + filePath)
    }

    public func entry(_ setting: some SettingDeclaration) -> Entry {
        entries.first { $0.declaration.key == setting.key }
            ?? Entry(declaration: setting, text: setting.defaultText, origin: .standard)
    }
}
