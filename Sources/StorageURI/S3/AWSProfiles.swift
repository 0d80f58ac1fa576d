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
            for (section, settings) in INIText.sections(text) { add(section, settings, from: path, isConfig: isConfig) }
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
}
