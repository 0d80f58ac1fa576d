/// One profile: what the two files say under its name.
struct AWSProfile: Sendable {
    let name: String
    /// Settings by name; nested ones as `s3.endpoint_url`.
    var settings: [String: String] = [:]
    /// The file that the keys came from, for messages.
    var files: [String] = []

    subscript(_ setting: String) -> String? { settings[setting].flatMap { $0.isEmpty ? nil : $0 } }
}

/// The shared files of Amazon's tools: `~/.aws/credentials` and `~/.aws/config`.
struct AWSProfiles: Sendable {
    /// The name of the profile that counts.
    let selected: String
    /// The variable that names it; nil when it is the default one.
    let variable: String?
    private(set) var profiles: [String: AWSProfile] = [:]
    private var services: [String: [String: String]] = [:]
    /// The files that were looked for, for messages.
    private(set) var files: [String] = []

    var profile: AWSProfile? { profiles[selected] }

    /// Reads the files. Nil when this identity may read none. A file that is missing holds nothing.
    init?(_ identity: AWSIdentity) throws(SettingsError) {
        guard let place = identity.profilePlace else { return nil }
        selected = place.name
        variable = place.variable
        // The credentials file goes last: what it says counts.
        for (path, isConfig) in [(place.configFile, true), (place.credentialsFile, false)] {
            guard let path else { continue }
            files.append(path)
            let text: String
            do throws(TextFile.Failure) { text = try TextFile.read(path) } catch {
                guard case .unreadable(let why) = error else { continue }
                throw SettingsError(faults: [SettingFault(variable: path, problem: why)])
            }
            for (section, settings) in Self.sections(text) { add(section, settings, from: path, isConfig: isConfig) }
        }
    }

    /// The endpoint that the selected profile names for a service.
    func endpoint(service: String) -> String? {
        guard let profile else { return nil }
        if let section = profile["services"], let url = services[section]?["\(service).endpoint_url"] { return url }
        return profile["endpoint_url"]
    }

    private mutating func add(_ section: String, _ settings: [String: String], from file: String, isConfig: Bool) {
        var name = section
        if isConfig, section != "default" {
            let parts = section.split(whereSeparator: \.isWhitespace)
            guard parts.count == 2 else { return }
            name = String(parts[1])
            if parts[0] == "services" { services[name, default: [:]].merge(settings) { $1 } }
            guard parts[0] == "profile" else { return }
        }
        var profile = profiles[name] ?? AWSProfile(name: name)
        // Keys are one set: those of one file do not complete those of the other.
        if settings["aws_access_key_id"] != nil || settings["aws_secret_access_key"] != nil {
            for key in ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"] {
                profile.settings[key] = nil
            }
        }
        profile.settings.merge(settings) { $1 }
        profile.files.append(file)
        profiles[name] = profile
    }

    /// The sections of a file, in its order. Of lines that are neither comment, header nor setting no notice is taken,
    /// as the other tools do.
    static func sections(_ text: String) -> [(name: String, settings: [String: String])] {
        var sections: [(name: String, settings: [String: String])] = []
        var parent: String?
        for line in text.split(whereSeparator: \.isNewline) {
            let isIndented = line.first?.isWhitespace == true
            let content = trimmed(line)
            if content.isEmpty || content.hasPrefix("#") || content.hasPrefix(";") { continue }
            if content.hasPrefix("["), let end = content.firstIndex(of: "]") {
                sections.append((String(trimmed(content[..<end].dropFirst())), [:]))
                parent = nil
                continue
            }
            guard !sections.isEmpty, let equals = content.firstIndex(of: "=") else { continue }
            var name = trimmed(content[..<equals]).lowercased()
            let value = withoutComment(trimmed(content[content.index(after: equals)...]))
            if isIndented, let parent { name = "\(parent).\(name)" } else { parent = value.isEmpty ? name : nil }
            sections[sections.count - 1].settings[name] = String(value)
        }
        return sections
    }

    private static func withoutComment(_ value: Substring) -> Substring {
        for marker in [" #", " ;", "\t#", "\t;"] {
            if let range = value.firstRange(of: marker) { return trimmed(value[..<range.lowerBound]) }
        }
        return value
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text.drop(while: \.isWhitespace)
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}
