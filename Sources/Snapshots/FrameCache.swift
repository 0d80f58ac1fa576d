import Glibc
import Synchronization
public import SystemPackage

/// Writes frames that were read from storage into the local copies of their packs. A pack file there has the pack's
/// length and holes where nothing was kept; each frame's CRC tells whether it is there, so no index is needed.
public final class FrameCache: Sendable {
    private struct State {
        var problem: String?
        var freeBytes: Int
    }
    private let state: Mutex<State>

    /// - Parameters:
    ///   - root: Below it lie all local snapshots; what they take already counts.
    ///   - limitBytes: Disk space that they may take. When it is used up, nothing more is kept.
    public init(root: FilePath, limitBytes: Int) {
        state = Mutex(State(freeBytes: limitBytes - ((try? allocatedBytes(root)) ?? 0)))
    }

    /// Why nothing is kept any more; nil as long as it works. The cache is a convenience: a full disk ends it, not the
    /// read.
    public var problem: String? { state.withLock { $0.problem } }

    func keep(_ bytes: [UInt8], at offset: Int, of pack: PackInfo, in directory: FilePath) {
        let mayKeep = state.withLock { state in
            guard state.problem == nil, state.freeBytes >= bytes.count else { return false }
            state.freeBytes -= bytes.count
            return true
        }
        guard mayKeep else { return }
        do {
            try makeDirectories(directory)
            let descriptor = try FileDescriptor.open(
                directory.appending(pack.name), .readWrite, options: [.create], permissions: [.ownerReadWrite])
            try descriptor.closeAfter {
                if try descriptor.seek(offset: 0, from: .end) < Int64(pack.sizeBytes) {
                    try descriptor.resize(to: Int64(pack.sizeBytes))
                }
                // No frame holds the header, and without it a pack that is kept whole would not match its digest.
                _ = try Format.header(Format.packMagic).withUnsafeBytes {
                    try descriptor.writeAll(toAbsoluteOffset: 0, $0)
                }
                _ = try bytes.withUnsafeBytes { try descriptor.writeAll(toAbsoluteOffset: Int64(offset), $0) }
            }
        } catch { state.withLock { $0.problem = "cannot keep \(pack.name) in \(directory): \(error)" } }
    }
}

/// What a directory and all below it take on disk; holes take nothing.
private func allocatedBytes(_ path: FilePath) throws -> Int {
    var status = stat()
    guard lstat(path.string, &status) == 0 else { return 0 }
    guard status.st_mode & S_IFMT == S_IFDIR else { return Int(status.st_blocks) * 512 }
    return try directoryEntries(path).reduce(0) { $0 + (try allocatedBytes(path.appending($1))) }
}
