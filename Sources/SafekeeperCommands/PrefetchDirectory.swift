import CommandKit
import Glibc
import WALArchive

/// Segments that were fetched before PostgreSQL asks for them.
///
/// `NAME` is whole and on disk; `NAME.part` is being fetched, and locked by who does it. `wanted` tells which segment
/// PostgreSQL asked for last: the prefetcher stays a bounded number of segments ahead of it.
struct PrefetchDirectory {
    private let directory: String

    init(_ work: WorkDirectory) { directory = work.path + "/fetched" }

    func makeDirectory() -> Bool { mkdir(directory, 0o700) == 0 || errno == EEXIST }

    static let lockName = "prefetch"
    /// Made by who starts to prefetch; held for as long as it lives.
    func lock() throws(CommandFailure) -> PidFile { try PidFile(directory: directory, name: Self.lockName) }
    var isServed: Bool { PidFile.holder(directory: directory, name: Self.lockName) != nil }

    func path(_ name: WALFileName) -> String { directory + "/" + name.text }
    func temporaryPath(_ name: WALFileName) -> String { path(name) + ".part" }

    // MARK: The side that asks

    /// Gives `target` the segment, if it was fetched or is just being fetched. Returns its size; nil where it is not
    /// here, or is not what it should be.
    func take(_ name: WALFileName, to target: String) -> Int? {
        let file = LocalWAL(path: path(name), name: name)
        // Each look is cheap, and what is waited for comes in milliseconds or, from far away, in seconds.
        for _ in 0..<30_000 {
            let isComing = isBeingFetched(name)
            if file.fingerprint() != nil {
                do {
                    let sizeBytes = try file.check()
                    try file.move(to: target)
                    return sizeBytes
                } catch {
                    unlink(file.path)  // it is fetched anew, and what is wrong with it told then
                    return nil
                }
            }
            if !isComing { return nil }
            usleep(2_000)
        }
        return nil
    }

    private func isBeingFetched(_ name: WALFileName) -> Bool {
        let file = open(temporaryPath(name), O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return false }
        defer { close(file) }
        return flock(file, LOCK_SH | LOCK_NB) != 0
    }

    /// Notes what was asked for.
    func want(_ name: WALFileName, sizeBytes: Int) { writeSmallFile(directory + "/wanted", "\(name) \(sizeBytes)") }

    // MARK: The side that fetches ahead

    /// What was asked for last, and the size of segments.
    func wanted() -> (name: WALFileName, sizeBytes: Int)? {
        guard let parts = readSmallFile(directory + "/wanted")?.split(separator: " "), parts.count == 2,
            let name = WALFileName(parts[0]), name.kind == .segment, let sizeBytes = Int(parts[1])
        else { return nil }
        return (name, sizeBytes)
    }

    func has(_ name: WALFileName) -> Bool { access(path(name), F_OK) == 0 }

    /// Removes what PostgreSQL has passed, and all that is of another TLI; without a name, everything.
    func clear(behind name: WALFileName?) {
        for entry in entries(of: directory) {
            let text = entry.hasSuffix(".part") ? entry.dropLast(5) : entry[...]
            guard let found = WALFileName(text) else { continue }
            if let name, found.timeline == name.timeline, found > name { continue }
            if entry.hasSuffix(".part"), isBeingFetched(found) { continue }
            unlink(directory + "/" + entry)
        }
        if name == nil { unlink(directory + "/wanted") }
    }
}
