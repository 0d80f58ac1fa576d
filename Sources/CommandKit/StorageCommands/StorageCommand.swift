public import ArgumentParser
import ObjectStorage
import StorageURI

/// `storage`: a small client for every storage that a location can name.
public struct StorageCommand: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "storage", abstract: "List, read, write, remove and check what lies in a storage.",
        discussion: """
            STORAGE is any location: s3://bucket/prefix, gs://, azure://, swift://, oss://, ssh://host/path, \
            file:///path, ./path, or the name of a variable such as S3_PREFIX. Credentials come from the environment.

              zenith storage ls s3://backups/main --recursive
              zenith storage get s3://backups/main/zenith.json -
              zenith storage put --recursive s3://backups/copy ./directory
              zenith storage rm --recursive s3://backups/copy
              zenith storage check S3_PREFIX --thorough
            """,
        subcommands: [List.self, Get.self, Put.self, Remove.self, Check.self])

    public init() {}
}

/// What all subcommands take.
struct StorageClientOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Take the variables of this role: snapshot, storage or wal (default: those without a prefix).",
            valueName: "role"))
    var role: String?

    @Argument(help: ArgumentHelp("The storage, or an object or folder in it.", valueName: "storage"))
    var storage: String

    func storageRole() throws(CommandFailure) -> StorageRole? {
        guard let role else { return nil }
        guard let known = StorageRole.allCases.first(where: { $0.rawValue == "\(role.uppercased())_" }) else {
            throw CommandFailure(.usage, "--role \(role) is none of snapshot, storage, wal")
        }
        return known
    }

    /// The storage whose root is the folder that was named.
    func openFolder() throws -> any ObjectStore { try Storages.open(try location(), role: try storageRole()) }

    func location() throws -> StorageLocation { try Storages.location(storage, role: try storageRole()) }

    /// Whether a folder is meant, by the slash at the end.
    var namesFolder: Bool { storage.hasSuffix("/") }

    /// The storage above the object that was named, and the object's key in it.
    ///
    /// - Parameter name: The object's name where a folder is meant; nil: an object must be named.
    func openObject(defaultName name: String? = nil) throws -> (store: any ObjectStore, key: ObjectKey) {
        let location = try location()
        if let name, namesFolder || location.path.isEmpty {
            return (try Storages.open(location, role: try storageRole()), ObjectKey(name))
        }
        guard !namesFolder, let (folder, key) = location.parent else {
            throw CommandFailure(.usage, "\(location) names no object", hint: "--recursive takes a whole folder")
        }
        return (try Storages.open(folder, role: try storageRole()), ObjectKey(key))
    }
}

extension StorageLocation {
    /// The folder that the last part of the path lies in, and that part; nil where there is none.
    fileprivate var parent: (folder: StorageLocation, name: String)? {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else {
            return path.isEmpty ? nil : (with(path: ""), path)
        }
        let name = String(path[path.utf8.index(after: slash)...])
        let above = String(path[..<slash])
        // A directory that is the root is not a storage.
        let isAbsolute = scheme == .file || scheme == .ssh
        guard !name.isEmpty, !above.isEmpty || !isAbsolute else { return nil }
        return (with(path: above), name)
    }

    private func with(path: String) -> StorageLocation {
        StorageLocation(scheme: scheme, container: container, path: path, user: user, port: port)
    }
}
