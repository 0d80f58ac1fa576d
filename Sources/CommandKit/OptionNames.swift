/// Every option is accepted with dashes and with underscores: `--storage_dest` is `--storage-dest`.
///
/// Only names change: nothing behind `=`, and nothing behind a lone `--`, where options end.
public func normalizedOptionNames(_ arguments: [String]) -> [String] {
    let end = arguments.firstIndex(of: "--") ?? arguments.endIndex
    return arguments[..<end].map { argument in
        guard argument.hasPrefix("--"), argument.count > 2 else { return argument }
        let name = argument.prefix { $0 != "=" }
        return String(name.map { $0 == "_" ? "-" : $0 }) + argument.dropFirst(name.count)
    } + arguments[end...]
}
