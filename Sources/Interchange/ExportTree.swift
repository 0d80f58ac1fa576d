import CFileSystem
import Glibc
import PostgresFormat
import Snapshots
import SystemPackage

/// The files and directories of an export on the local file system.
struct ExportTree: Sendable {
    let root: FilePath
    let owner: (user: UInt32, group: UInt32)?
    let layout: ExportLayout

    /// Makes sure that `directory` is there and empty, or holds an unfinished export, which is removed; then marks it.
    func claim(_ directory: FilePath) throws {
        if mkdir(directory.string, mode_t(layout.directoryMode)) != 0 {
            guard errno == EEXIST else {
                if errno == ENOENT { return try claimBelowNewParent(directory) }
                throw failure("make directory", directory, errno)
            }
            let names = try directoryEntries(directory)
            if names.contains(LocalExport.marker) || names == [LocalExport.markerBegun] {
                // Cut short at the very last step, it could be started on; what was written to it since is not ours.
                guard !names.contains("postmaster.pid") else {
                    throw InterchangeError.exists(
                        "\(directory) holds an unfinished export, but PostgreSQL runs on it: postmaster.pid is there")
                }
                // The marker stays until all else is gone.
                for name in names where name != LocalExport.marker { try removeTree(directory.appending(name)) }
            } else if names.contains(where: { $0 != "lost+found" }) {
                throw InterchangeError.exists(
                    "\(directory) is not empty: an export is written only to an empty or absent directory")
            }
        }
        // Also of a directory made just now: the umask may have taken the group's part away.
        guard chmod(directory.string, mode_t(layout.directoryMode)) == 0 else {
            throw failure("set the mode of", directory, errno)
        }
        try give(directory)
        try Snapshots.writeDurably(
            Array("An export is being written here, or was cut short. Run it again.\n".utf8),
            to: directory.appending(LocalExport.marker))
    }

    private func claimBelowNewParent(_ directory: FilePath) throws {
        let parent = directory.removingLastComponent()
        guard parent != directory, !parent.isEmpty else { throw failure("make directory", directory, ENOENT) }
        try Snapshots.makeDirectories(parent, mode: 0o755)
        try claim(directory)
    }

    /// Fails before anything is written when a file system cannot hold what goes there.
    func checkSpace(_ tablespaces: TablespacePlacement) throws {
        let outside = Dictionary(
            tablespaces.outside.map { ($0.oid, FilePath($0.directory)) }, uniquingKeysWith: { first, _ in first })
        var needs: [FilePath: Int] = [root: layout.manifest.files.reduce(0) { $0 + $1.sizeBytes }]
        for fork in layout.manifest.forks {
            needs[outside[fork.key.tablespace] ?? root, default: 0] += Int(fork.blockCount) * Page.size
        }
        // Several of them may share a file system.
        var byDevice: [dev_t: (directory: FilePath, bytes: Int)] = [:]
        for (directory, bytes) in needs {
            var status = stat()
            guard stat(directory.string, &status) == 0 else { throw failure("examine", directory, errno) }
            byDevice[status.st_dev, default: (directory, 0)].bytes += bytes
        }
        for (directory, bytes) in byDevice.values {
            var status = statvfs()
            guard statvfs(directory.string, &status) == 0 else { throw failure("examine", directory, errno) }
            let free = Int(status.f_bavail) * Int(status.f_frsize)
            guard free >= bytes else {
                throw InterchangeError.io(
                    "\(directory): the export takes \(bytes >> 20) MiB there, the file system has \(free >> 20) MiB left"
                )
            }
        }
    }

    func makeDirectories(_ tablespaces: TablespacePlacement) throws {
        if !tablespaces.below.isEmpty { try make("tablespaces") }
        try make("pg_tblspc")
        for place in tablespaces.below + tablespaces.outside {
            if place.directory.hasPrefix(root.string + "/tablespaces/") { try make("tablespaces/\(place.oid)") }
            let link = root.appending("pg_tblspc/\(place.oid)")
            guard symlink(place.directory, link.string) == 0 else { throw failure("make the link", link, errno) }
            if let owner { _ = lchown(link.string, owner.user, owner.group) }
        }
        for file in layout.manifest.files where file.kind == .directory {
            // The directories of tablespaces are links by now; what lies below them is made through the links.
            try make(file.path, mode: file.mode)
        }
        // Directories that hold relations only are named by nothing else in the manifest.
        var made: Set<String> = []
        for fork in layout.manifest.forks {
            let directory = split(layout.path(of: fork.key, segment: 0)).directory
            if made.insert(directory).inserted { try makeAll(directory) }
        }
        for file in layout.manifest.files where file.kind == .file {
            let directory = split(file.path).directory
            if !directory.isEmpty, made.insert(directory).inserted { try makeAll(directory) }
        }
    }

    /// Files of no bytes, which no frame names, and the zero tails of files.
    func makeEmptyFiles() throws {
        for fork in layout.manifest.forks where fork.blockCount == 0 {
            try open(layout.path(of: fork.key, segment: 0), mode: layout.fileMode).close()
        }
        for file in layout.manifest.files where file.kind == .file && !ExportLayout.decisive.contains(file.path) {
            let content = layout.manifest.fileFrames[file.firstFrame..<file.firstFrame + file.frameCount]
                .reduce(0) { $0 + $1.contentBytes }
            guard content < file.sizeBytes || content == 0 else { continue }
            let descriptor = try open(file.path, mode: file.mode)
            defer { try? descriptor.close() }
            guard file.sizeBytes > 0 else { continue }
            // Real blocks: PostgreSQL counts on a WAL segment having its space.
            let code = posix_fallocate(descriptor.rawValue, 0, off_t(file.sizeBytes))
            guard code == 0 else { throw failure("allocate", root.appending(file.path), code) }
        }
    }

    func open(_ path: String, mode: UInt16) throws -> FileDescriptor {
        let target = root.appending(path)
        do {
            let descriptor = try FileDescriptor.open(
                target, .writeOnly, options: [.create, .noFollow],
                permissions: FilePermissions(rawValue: CInterop.Mode(mode)))
            if let owner, fchown(descriptor.rawValue, owner.user, owner.group) != 0 {
                throw failure("give", target, errno)
            }
            guard fchmod(descriptor.rawValue, mode_t(mode)) == 0 else {
                throw failure("set the mode of", target, errno)
            }
            return descriptor
        } catch let error as Errno { throw InterchangeError.io("\(target): create: \(error)") }
    }

    /// Waits until all that was written is on disk: one call for the whole file system, since there may be a hundred
    /// thousand files.
    func synchronize(_ directory: FilePath? = nil) throws {
        let path = directory ?? root
        let descriptor = Glibc.open(path.string, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("open", path, errno) }
        defer { close(descriptor) }
        guard cfs_synchronize(descriptor) == 0 else { throw failure("synchronize", path, errno) }
    }

    func writeDurably(_ path: String, _ content: [UInt8], mode: UInt16) throws {
        try Snapshots.writeDurably(
            content, to: root.appending(path), mode: FilePermissions(rawValue: CInterop.Mode(mode)))
        try give(root.appending(path))
    }

    /// Takes the marker away: the export is whole.
    func release(_ directory: FilePath) throws {
        let path = directory.appending(LocalExport.marker)
        guard unlink(path.string) == 0 else { throw failure("remove", path, errno) }
        try synchronizeDirectory(directory)
    }

    private func makeAll(_ path: String) throws {
        let parent = split(path).directory
        if !parent.isEmpty { try makeAll(parent) }
        try make(path)
    }

    private func make(_ path: String, mode: UInt16? = nil) throws {
        let target = root.appending(path)
        let mode = mode_t(mode ?? layout.directoryMode)
        if mkdir(target.string, mode) != 0 {
            guard errno == EEXIST else { throw failure("make directory", target, errno) }
            return
        }
        // The umask may have taken the group's part away.
        guard chmod(target.string, mode) == 0 else { throw failure("set the mode of", target, errno) }
        try give(target)
    }

    private func give(_ path: FilePath) throws {
        if let owner, chown(path.string, owner.user, owner.group) != 0 { throw failure("give", path, errno) }
    }

    private func failure(_ action: String, _ path: FilePath, _ code: Int32) -> InterchangeError {
        .io("\(action) \(path): \(Errno(rawValue: code))")
    }
}
