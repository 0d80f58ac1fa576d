public import ArgumentParser
import Glibc

/// What every command takes: which installation it works on, and how much it tells.
public struct CommonOptions: ParsableArguments {
    @Option(
        name: [.customShort("D"), .customLong("dir")],
        help: ArgumentHelp("Directory of the installation (default: $ZENITH_DIR, else ./.zenith).", valueName: "dir"))
    public var dir: String?

    @Option(name: .customLong(Settings.logLevel.optionName), help: Settings.logLevel.argumentHelp)
    public var logLevel: String?

    public init() {}

    /// The directory of the installation, as an absolute path.
    public var directory: String {
        let given = dir ?? environmentVariables()["ZENITH_DIR"].flatMap { $0.isEmpty ? nil : $0 } ?? ".zenith"
        return absolutePath(given)
    }
}

/// For commands that print results.
public struct OutputOptions: ParsableArguments {
    @Flag(name: .customLong("json"), help: "Print the result as JSON.")
    public var json = false

    public init() {}
}

/// This process's environment, read at each call.
public func environmentVariables() -> [String: String] {
    var variables: [String: String] = [:]
    var next = environ
    while let entry = next.pointee {
        let text = String(cString: entry)
        if let equals = text.firstIndex(of: "=") {
            variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
        }
        next += 1
    }
    return variables
}

/// `path` below the working directory when it is relative, without `.` and empty parts. Symbolic links stay.
public func absolutePath(_ path: String) -> String {
    var whole = path
    if !path.hasPrefix("/"), let working = getcwd(nil, 0) {
        whole = String(cString: working) + "/" + path
        free(working)
    }
    return "/" + whole.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
}
