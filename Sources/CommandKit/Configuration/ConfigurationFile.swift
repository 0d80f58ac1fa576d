import TOMLKit

/// `DIR/zenith.toml`: how it is read and written.
public enum ConfigurationFile {
    /// What a file says, faults included.
    struct Content {
        let path: String
        var values: [String: (text: String, line: Int?)] = [:]
        var faults: [String] = []
    }

    /// Takes what is right and lists what is wrong. Only a file that is no TOML at all has a single fault.
    static func parse(_ text: String, path: String) -> Content {
        var content = Content(path: path)
        let table: TOMLTable
        do {
            table = try TOMLTable(string: text)
        } catch let error as TOMLParseError {
            content.faults.append("\(path):\(error.source.begin.line): \(error.description)")
            return content
        } catch {
            content.faults.append("\(path): \(error)")
            return content
        }
        for (key, value) in table {
            let line = lineNumber(of: key, in: text)
            let place = path + (line.map { ":\($0)" } ?? "")
            guard let declaration = Settings.all.first(where: { $0.key == key }) else {
                content.faults.append("\(place): \(unknownKey(key))")
                continue
            }
            if declaration.isSecret {
                content.faults.append(
                    "\(place): \(key) is a secret and has no place in a file; set \(declaration.environmentName)")
            } else if let text = value.tomlValue.string ?? value.tomlValue.int.map(String.init) {
                content.values[key] = (text, line)
            } else {
                content.faults.append("\(place): \(key) needs a text or a number, not a \(value.tomlValue.type)")
            }
        }
        // A table has no order that a reader would know; lines have.
        content.faults.sort { lineBehind(path, $0) < lineBehind(path, $1) }
        return content
    }

    private static func unknownKey(_ key: String) -> String {
        if Settings.neverSaved.contains(key) {
            return "\(key) is used once, by an option, and never kept in the configuration"
        }
        let nearest = nearestName(to: key, among: Settings.all.map(\.key)).map { "; did you mean \($0)?" } ?? ""
        return "unknown key \(key)\(nearest)"
    }

    private static func lineBehind(_ path: String, _ fault: String) -> Int {
        Int(fault.dropFirst(path.count + 1).prefix { $0.isNumber }) ?? 0
    }

    /// The line that gives `key`, or opens the table of that name.
    private static func lineNumber(of key: String, in text: String) -> Int? {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let index = lines.firstIndex { line in
            let bare = line.drop { " \t[\"'".contains($0) }
            guard bare.hasPrefix(key) else { return false }
            return bare.dropFirst(key.count).first { !" \t\"'".contains($0) }.map { "=.]".contains($0) } ?? false
        }
        return index.map { $0 + 1 }
    }

    /// The text of a file with these values; each setting is explained, and those without a value are commented out.
    public static func text(values: [String: String]) -> String {
        var lines = [
            "# Configuration of Zenith, in TOML. An option or an environment variable wins over a line here;",
            "# `zenith config show` prints what is in effect. Credentials come from the environment, never from here.",
        ]
        for declaration in Settings.all where !declaration.isSecret {
            var about = declaration.meaning
            if let words = declaration.defaultDescription { about += " (default: \(words))" }
            lines += ["", "# \(about)."]
            if let value = values[declaration.key] {
                lines.append("\(declaration.key) = \(literal(value, of: declaration))")
            } else if let example = declaration.defaultWords == nil ? declaration.defaultText : declaration.example {
                lines.append("#\(declaration.key) = \(literal(example, of: declaration))")
            } else {
                lines.append("#\(declaration.key) =")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Writes `DIR/zenith.toml` in one step: another process sees the old file or the new one. Mode 0600.
    ///
    /// - Parameter values: The text of each setting to keep, by key. A secret, or a key that is no setting, is a
    ///   mistake of the caller.
    public static func write(values: [String: String], directory: String) throws(CommandFailure) {
        for key in values.keys {
            let declaration = Settings.all.first { $0.key == key }
            precondition(declaration != nil && declaration?.isSecret == false, "\(key) is never written")
        }
        let path = directory + "/" + Configuration.fileName
        do {
            try replaceFile(path, with: Array(text(values: values).utf8), mode: 0o600)
        } catch {
            throw CommandFailure(error, "cannot write \(path)")
        }
    }

    private static func literal(_ text: String, of declaration: any SettingDeclaration) -> String {
        if declaration is Setting<Int> { return text }
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
