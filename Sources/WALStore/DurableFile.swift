import Glibc
public import SystemPackage

/// Replaces a file in one step: written beside it, synchronized, renamed, and the directory synchronized. It blocks.
public func writeDurably(_ content: [UInt8], to target: FilePath) throws(WALStoreError) {
    let temporary = FilePath(target.string + ".writing")
    do throws(Errno) {
        let descriptor = try retrying {
            try FileDescriptor.open(
                temporary, .writeOnly, options: [.create, .truncate, .closeOnExec],
                permissions: [.ownerReadWrite, .groupRead])
        }
        defer { try? descriptor.close() }
        try retrying { try content.withUnsafeBytes { try descriptor.writeFully(at: 0, $0) } }
        try descriptor.synchronize()
        guard Glibc.rename(temporary.string, target.string) == 0 else { throw Errno.current }
        try synchronizeDirectory(target.removingLastComponent())
    } catch {
        unlink(temporary.string)
        throw WALStoreError("writing \(target)", error)
    }
}

/// The names in a directory are on disk when it returns.
func synchronizeDirectory(_ path: FilePath) throws(Errno) {
    let descriptor = try retrying { try FileDescriptor.open(path, .readOnly, options: [.directory, .closeOnExec]) }
    defer { try? descriptor.close() }
    try descriptor.synchronize()
}
