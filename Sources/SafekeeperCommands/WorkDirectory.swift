import CommandKit
import Digests
import Glibc
import WALArchive

/// A directory beside a cluster's data directory, for what commands remember from one call to the next: records of
/// what was pushed ahead, and files that were fetched ahead.
///
/// It is never inside the data directory, which base backups and `pg_rewind` would carry away. With `zenith.toml` in
/// DIR it is below DIR, else beside the data directory. All of it can be removed at any time.
struct WorkDirectory {
    let path: String

    /// Nil where the file is in no cluster's `pg_wal`, or where no directory can be made: then nothing is remembered.
    init?(_ configuration: Configuration, walFile: String) {
        let parts = walFile.split(separator: "/")
        guard parts.count >= 3, parts[parts.count - 2] == "pg_wal" else { return nil }
        let data = "/" + parts.dropLast(2).joined(separator: "/")
        let parent = data.prefix(through: data.lastIndex(of: "/") ?? data.startIndex)
        let base =
            configuration.hasFile
            ? configuration.directory + "/wal-ahead" : parent + "." + parts[parts.count - 3] + ".zenith-wal"
        path = base + "/" + Self.identity(configuration, data: data)
        if access(path, W_OK) == 0 { return }
        for directory in [base, path] where mkdir(directory, 0o700) != 0 && errno != EEXIST { return nil }
        guard access(path, W_OK) == 0 else { return nil }
    }

    /// What is remembered holds for one archive only: another storage, timeline, endpoint or account, and what was
    /// remembered counts no more.
    private static func identity(_ configuration: Configuration, data: String) -> String {
        let places = ["ENDPOINT", "URL", "ACCOUNT", "HOST", "PREFIX"]
        let variables = environmentVariables().filter { variable in places.contains { variable.key.contains($0) } }
        let lines =
            [data, configuration[Settings.storageDest]?.text ?? "", configuration[Settings.timeline] ?? ""]
            + variables.map { "\($0.key)=\($0.value)" }.sorted()
        return hex(Digest.sha256(Array(lines.joined(separator: "\n").utf8)).prefix(8))
    }

    private static func hex(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
}

/// The names in a directory; empty where there is none.
func entries(of directory: String) -> [String] {
    guard let stream = opendir(directory) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != ".", name != ".." { names.append(name) }
    }
    return names
}

/// A file of a few bytes; nil where there is none.
func readSmallFile(_ path: String) -> String? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = read(file, &bytes, bytes.count)
    return count < 0 ? nil : String(decoding: bytes[..<count], as: UTF8.self)
}

/// Replaces a file of a few bytes in one step. It need not survive a loss of power: what is remembered saves work, and
/// nothing more.
func writeSmallFile(_ path: String, _ text: String) {
    let temporary = "\(path).\(getpid()).new"
    let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard file >= 0 else { return }
    let bytes = Array(text.utf8)
    let isWritten = write(file, bytes, bytes.count) == bytes.count
    close(file)
    if !isWritten || rename(temporary, path) != 0 { unlink(temporary) }
}
