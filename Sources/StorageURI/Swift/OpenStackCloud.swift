import Yams

/// One entry of `clouds.yaml`, the file of OpenStack's own tools, with what `secure.yaml` adds to it.
struct OpenStackCloud: Sendable {
    let name: String
    /// The file that it was found in.
    let path: String
    /// The file of secrets beside it, where there is one.
    let securePath: String?
    /// The entry's settings; those below `auth` go before.
    private var settings: [String: String] = [:]

    /// Reads an entry.
    ///
    /// - Parameters:
    ///   - variable: The variable that names it, for messages.
    ///   - file: The file to read in place of the usual ones.
    init(
        _ name: String, named variable: String, file: RoleEnvironment.Value?, secureFile: RoleEnvironment.Value?,
        home: String?
    ) throws(SettingsError) {
        self.name = name
        guard let main = try Self.find("clouds", file, home) else {
            let places = Self.folders(home: home).joined(separator: ", ")
            throw Self.fault(variable, "names a cloud, but there is no clouds.yaml in \(places)")
        }
        let secure = try Self.find("secure", secureFile, home)
        path = main.path
        securePath = secure?.path
        guard let clouds = main.root["clouds"], let entry = clouds[name] else {
            let names = main.root["clouds"]?.names.map(shown).joined(separator: ", ") ?? "none"
            throw Self.fault(variable, "there is no cloud \(shown(name)) in \(main.path), which has \(names)")
        }
        for node in [entry, secure?.root["clouds"]?[name]].compactMap(\.self) {
            settings.merge(node.scalars) { $1 }
            if let auth = node["auth"] { settings.merge(auth.scalars) { $1 } }
            // The first region is the one to use.
            if let region = node["regions"]?.first { settings["region_name"] = region }
        }
        if settings["verify"].map({ SettingsReader.boolean($0) == false }) ?? false {
            throw Self.fault(place("verify"), "turns off the check of certificates, which is not supported; use cacert")
        }
        for key in ["profile", "cloud"] where settings[key] != nil && settings["auth_url"] == nil {
            throw Self.fault(place(key), "names a vendor's profile, which is not supported; give auth_url")
        }
    }

    /// The value that stands for a variable: `auth_url` for `OS_AUTH_URL`.
    func value(_ declaration: EnvironmentVariable) -> RoleEnvironment.Value? {
        for name in declaration.names where name.hasPrefix("OS_") {
            let key = Self.key(name)
            if let text = settings[key], !text.isEmpty {
                return RoleEnvironment.Value(text: text, variable: place(key))
            }
        }
        return nil
    }

    /// Where a setting is, for messages.
    func place(_ key: String) -> String { "\(key) of cloud \(name)" }

    static func key(_ variable: String) -> String {
        switch variable {
        case "OS_STORAGE_URL": "object_store_endpoint_override"
        default: String(variable.dropFirst("OS_".count)).lowercased()
        }
    }

    // MARK: - Files

    private static func folders(home: String?) -> [String] {
        ["."] + (home.map { ["\($0)/.config/openstack"] } ?? []) + ["/etc/openstack"]
    }

    /// The file, and what is in it; nil where none is named and there is none.
    private static func find(
        _ name: String, _ file: RoleEnvironment.Value?, _ home: String?
    ) throws(SettingsError) -> (path: String, root: Node)? {
        if let file {
            guard let root = try read(file.text, named: file.variable) else {
                throw fault(file.variable, "no such file: \(shown(file.text))")
            }
            return (file.text, root)
        }
        for folder in folders(home: home) {
            for ending in ["yaml", "yml", "json"] {
                let path = folder == "." ? "\(name).\(ending)" : "\(folder)/\(name).\(ending)"
                if let root = try read(path, named: path) { return (path, root) }
            }
        }
        return nil
    }

    /// The file's content; nil when there is no such file. Messages show nothing of it: it holds secrets.
    private static func read(_ path: String, named name: String) throws(SettingsError) -> Node? {
        let text: String
        do throws(TextFile.Failure) { text = try TextFile.read(path) } catch {
            guard case .unreadable(let why) = error else { return nil }
            throw fault(name, path == name ? why : "\(shown(path)): \(why)")
        }
        do {
            return try Yams.compose(yaml: text) ?? Node.mapping(Node.Mapping([]))
        } catch {
            var line = ""
            switch error as? YamlError {
            case .scanner(_, _, let mark, _), .parser(_, _, let mark, _), .composer(_, _, let mark, _):
                line = ", near line \(mark.line)"
            default: break
            }
            throw fault(name, "\(path == name ? "" : "\(shown(path)): ")is not YAML\(line)")
        }
    }

    private static func fault(_ variable: String, _ problem: String) -> SettingsError {
        SettingsError(faults: [SettingFault(variable: variable, problem: problem)])
    }
}

extension Node {
    /// What a mapping has under a name, or what it takes over by `<<` has.
    fileprivate subscript(name: String) -> Node? {
        guard let mapping else { return nil }
        if let own = mapping.first(where: { $0.key.scalar?.string == name }) { return own.value }
        guard let merged = mapping.first(where: { $0.key.scalar?.string == "<<" })?.value else { return nil }
        return merged.sequence.map { $0.lazy.compactMap { $0[name] }.first } ?? merged[name]
    }

    fileprivate var names: [String] { mapping?.compactMap { $0.key.scalar?.string } ?? [] }

    /// The texts of a mapping as they are written: a number may be the name of a project.
    fileprivate var scalars: [String: String] {
        guard let mapping else { return [:] }
        var texts: [String: String] = [:]
        if let merged = mapping.first(where: { $0.key.scalar?.string == "<<" })?.value {
            for node in (merged.sequence.map { Array($0) } ?? [merged]).reversed() { texts.merge(node.scalars) { $1 } }
        }
        for (key, value) in mapping {
            guard let name = key.scalar?.string, let text = value.scalar?.string, name != "<<",
                value.tag != Tag(.null)
            else { continue }
            texts[name] = text
        }
        return texts
    }

    /// The first of a list, or its name.
    fileprivate var first: String? {
        guard let node = sequence?.first else { return nil }
        return node.scalar?.string ?? node["name"]?.scalar?.string
    }
}
