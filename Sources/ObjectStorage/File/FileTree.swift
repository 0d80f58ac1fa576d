import CFileSystem
import Glibc
import SystemPackage

/// The directory that holds a storage, and the only ways into it: none follows a symlink below the root, or leaves it.
final class FileTree: Sendable {
    /// Backups hold all data of a cluster: the group may read them, others may not. The umask may take more away.
    static let directoryMode: mode_t = 0o750
    static let fileMode: mode_t = 0o640

    /// True where one call of the kernel, openat2, resolves a whole path without leaving the root. Old kernels lack
    /// it, and old container sandboxes refuse it.
    static let kernelResolvesBeneath: Bool = {
        guard let here = try? Descriptor.open("/", cfs_o_path | O_DIRECTORY) else { return false }
        return (try? here.openBeneath(".", cfs_o_path | O_DIRECTORY)) != nil
    }()

    /// An absolute path. Itself it may be, or lead through, a symlink: that is the administrator's choice.
    let root: String
    let resolvesBeneath: Bool
    private let madeDirectories = MadeDirectories()

    init(root: String, resolvesBeneath: Bool) {
        self.root = root
        self.resolvesBeneath = resolvesBeneath
    }

    func openRoot() throws(Errno) -> Descriptor { try Descriptor.open(root, cfs_o_path | O_DIRECTORY) }

    /// Whether a "not a directory" is about the root itself.
    var rootIsFile: Bool {
        guard let status = try? Descriptor.open(root, cfs_o_path).status() else { return false }
        return !status.isDirectory
    }

    /// Opens a file or directory below the root. `ELOOP` when the way leads through a symlink.
    func open(directories: [String], name: String, _ flags: Int32) throws(Errno) -> Descriptor {
        let top = try openRoot()
        if resolvesBeneath {
            do throws(Errno) {
                return try top.openBeneath((directories + [name]).joined(separator: "/"), flags)
            } catch {
                // Of a symlink where a directory was asked for, the kernel says "not a directory"; the way below
                // tells the two apart.
                if error != .notDirectory { throw error }
            }
        }
        let parent = try descend(from: top, directories)
        return try Self.openNamed(parent, name, flags)
    }

    /// Opens a directory below the root to read, sync and change it.
    func open(directories: [String], _ flags: Int32 = O_RDONLY) throws(Errno) -> Descriptor {
        guard let name = directories.last else { return try Descriptor.open(root, flags | O_DIRECTORY) }
        return try open(directories: directories.dropLast(), name: name, flags | O_DIRECTORY)
    }

    /// Opens a directory below the root, after making what is missing on the way, durably.
    func openOrMake(directories: [String]) throws(Errno) -> Descriptor {
        do throws(Errno) { return try open(directories: directories) } catch {
            if error != .noSuchFileOrDirectory { throw error }
        }
        try makeRoot()
        var directory = try Descriptor.open(root, O_RDONLY | O_DIRECTORY)
        for name in directories { directory = try Self.openOrMake(name, in: directory) }
        return directory
    }

    /// Makes the entries of all directories on the way durable, the root's own too: another writer may have made them
    /// a moment ago, and not have synced them yet.
    func syncWay(to directories: [String]) throws(Errno) {
        for count in directories.indices { try open(directories: Array(directories[..<count])).syncDirectory() }
        let aboveRoot = root.split(separator: "/").dropLast().joined(separator: "/")
        do throws(Errno) { try Descriptor.open("/" + aboveRoot, O_RDONLY | O_DIRECTORY).syncDirectory() } catch {
            if error != .permissionDenied { throw error }  // not ours to read: somebody else made the root
        }
    }

    private func makeRoot() throws(Errno) {
        var directory = try Descriptor.open("/", O_RDONLY | O_DIRECTORY)
        var path = ""
        for name in root.split(separator: "/") {
            path += "/" + name
            do throws(Errno) { directory = try Descriptor.open(path, O_RDONLY | O_DIRECTORY) } catch {
                switch error {
                case .noSuchFileOrDirectory:
                    directory = try Self.openOrMake(String(name), in: directory)
                    madeDirectories.note(path)
                // A directory on the way that may be passed but not read is not one that needs to be made.
                case .permissionDenied: directory = try Descriptor.open(path, cfs_o_path | O_DIRECTORY)
                default: throw error
                }
            }
        }
    }

    /// Removes the root where it was made here and is empty.
    ///
    /// - Returns: Whether it is gone.
    func removeMadeRoot() -> Bool { madeDirectories.removeAll { rmdir($0) == 0 || errno == ENOENT } }

    private static func openOrMake(_ name: String, in parent: borrowing Descriptor) throws(Errno) -> Descriptor {
        do throws(Errno) {
            try parent.makeDirectory(name: name, mode: directoryMode)
            try parent.syncDirectory()
        } catch {
            if error != .fileExists { throw error }
        }
        return try openNamed(parent, name, O_RDONLY | O_DIRECTORY)
    }

    private func descend(from top: consuming Descriptor, _ directories: [String]) throws(Errno) -> Descriptor {
        var directory = top
        for name in directories { directory = try Self.openNamed(directory, name, cfs_o_path | O_DIRECTORY) }
        return directory
    }

    /// Opens an entry that must not be a symlink; says so by `ELOOP`, where the kernel says only "not a directory".
    private static func openNamed(
        _ parent: borrowing Descriptor, _ name: String, _ flags: Int32
    ) throws(Errno) -> Descriptor {
        do throws(Errno) { return try parent.open(name: name, flags) } catch {
            if error == .notDirectory, let status = try? parent.status(name: name), status.isSymlink {
                throw .tooManySymbolicLinkLevels
            }
            throw error
        }
    }
}
