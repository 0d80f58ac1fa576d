import StorageURI

/// `DIR/zenith.toml`: how it is read and written.
public enum ConfigurationFile {
    /// What a file says, faults included.
    struct Content {
        let path: String
        var values: [String: (text: String, line: Int)] = [:]
        var faults: [String] = []
    }

    /// Takes what is right and lists what is wrong, in the order of lines.
    static func parse(_ text: String, path: String) -> Content {
        var content = Content(path: path)
        let document = TOMLDocument(text)
        var faults = document.faults.map { (line: $0.line, text: $0.problem) }
        for table in document.tables { faults.append((table.line, unknownKey(table.path.joined(separator: ".")))) }
        for entry in document.entries {
            let key = entry.path.joined(separator: ".")
            // Below an unknown table nothing is known: one fault is enough.
            if document.tables.contains(where: { entry.path.starts(with: $0.path) }) { continue }
            guard let declaration = Settings.all.first(where: { $0.key == key }) else {
                faults.append((entry.line, unknownKey(key)))
                continue
            }
            if declaration.isSecret {
                faults.append(
                    (entry.line, "\(key) is a secret and has no place in a file; set \(declaration.environmentName)"))
                continue
            }
            switch entry.value {
            case .string(let value): content.values[key] = (value, entry.line)
            case .integer(let value): content.values[key] = (String(value), entry.line)
            default: faults.append((entry.line, "\(key) needs a text or a number, not a \(entry.value.kind)"))
            }
        }
        content.faults = faults.sorted { $0.line < $1.line }.map { "\(path):\($0.line): \($0.text.onOneLine)" }
        return content
    }

    private static func unknownKey(_ key: String) -> String {
        if Settings.neverSaved.contains(key) {
            return "\(key) is used once, by an option, and never kept in the configuration"
        }
        let nearest =
            NearestName.find(key.lowercased(), in: Settings.all.map(\.key)).map { "; did you mean \($0)?" } ?? ""
        return "unknown key \(key)\(nearest)"
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
            } else if let example = (declaration.defaultWords == nil ? declaration.defaultText : nil)
                ?? declaration.example
            {
                lines.append("#\(declaration.key) = \(literal(example, of: declaration))")
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
