import Digests
import Glibc
import SystemPackage

/// The keys of hosts, as OpenSSH keeps them in files.
struct KnownHosts {
    /// A line that names the host which is asked for.
    struct Entry {
        let file: String
        let line: Int
        let isRevoked: Bool
        /// Whether the line names the host without the port that is asked for, which is not the usual one.
        let isOfOtherPort: Bool
        let keyType: String
        let key: [UInt8]

        var place: String { "\(file), line \(line)" }
    }

    private(set) var entries: [Entry] = []

    private static let maximumBytes = 16 << 20

    /// - Parameter files: Those that are not there count as empty.
    init(files: [String], host: String, port: Int) throws(ServiceFailure) {
        for file in files {
            guard let text = try Self.read(file) else { continue }
            var line = 0
            for content in text.split(separator: "\n", omittingEmptySubsequences: false) {
                line += 1
                if let entry = Self.entry(content, file, line, host.lowercased(), port) { entries.append(entry) }
            }
        }
    }

    private static func read(_ path: String) throws(ServiceFailure) -> String? {
        do {
            let file = try OpenFile(path: path)
            let count = min(maximumBytes, try file.byteCount())
            var bytes = [UInt8](repeating: 0, count: count)
            let region = FileRegion(file: file, offset: 0, count: count)
            var position = 0
            while position < count {
                let step = try bytes.withUnsafeMutableBytes { buffer in
                    try region.read(at: position, into: .init(rebasing: buffer[position...]))
                }
                if step == 0 { break }
                position += step
            }
            return String(decoding: bytes.prefix(position), as: UTF8.self)
        } catch {
            if error as? Errno == .noSuchFileOrDirectory { return nil }
            throw ServiceFailure(.unavailable, "cannot read the known hosts in \(path): \(error)")
        }
    }

    /// `[@marker] names type key`. Nil for what is no such line, names another host, or certifies hosts.
    private static func entry(
        _ line: Substring, _ file: String, _ number: Int, _ host: String, _ port: Int
    ) -> Entry? {
        var words = line.split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == "\r" })[...]
        guard let first = words.first, !first.hasPrefix("#") else { return nil }
        let marker = first.hasPrefix("@") ? words.popFirst() : nil
        guard marker == nil || marker == "@revoked", words.count >= 3, let names = words.popFirst(),
            let type = words.popFirst(), let encoded = words.popFirst(), let key = [UInt8](base64: String(encoded))
        else { return nil }
        let name = port == 22 ? host : "[\(host)]:\(port)"
        let isNamed = matches(names, name)
        guard isNamed || port != 22 && matches(names, host) else { return nil }
        return Entry(
            file: file, line: number, isRevoked: marker != nil, isOfOtherPort: !isNamed, keyType: String(type), key: key
        )
    }

    /// Whether a list of names and patterns, or one hashed name, stands for `name`.
    static func matches(_ names: Substring, _ name: String) -> Bool {
        if names.hasPrefix("|1|") {
            let parts = names.split(separator: "|", omittingEmptySubsequences: false)
            guard parts.count == 4, let salt = [UInt8](base64: String(parts[2])),
                let hash = [UInt8](base64: String(parts[3]))
            else { return false }
            return Digest.hmacSHA1(key: salt, name.utf8) == hash
        }
        var isNamed = false
        for pattern in names.lowercased().split(separator: ",") {
            let isNegated = pattern.hasPrefix("!")
            guard fnmatch(String(isNegated ? pattern.dropFirst() : pattern).escapingBrackets, name, 0) == 0 else {
                continue
            }
            if isNegated { return false }
            isNamed = true
        }
        return isNamed
    }

    enum Verdict {
        case known
        /// No line has a key for this host.
        case unknown
        /// Lines have keys of other types only.
        case otherTypes(Entry)
        case changed(Entry)
        case revoked(Entry)
    }

    func verdict(type: String, key: [UInt8]) -> Verdict {
        if let entry = entries.first(where: { $0.isRevoked && $0.key == key }) { return .revoked(entry) }
        let valid = entries.filter { !$0.isRevoked }
        if valid.contains(where: { $0.key == key }) { return .known }
        let own = valid.filter { !$0.isOfOtherPort }
        if let entry = own.first(where: { $0.keyType == type }) { return .changed(entry) }
        return own.first.map { .otherTypes($0) } ?? .unknown
    }

    /// Adds a host's key at the end of a file, which is made if need be.
    static func add(_ key: [UInt8], type: String, host: String, port: Int, to file: String) throws(ServiceFailure) {
        let name = port == 22 ? host.lowercased() : "[\(host.lowercased())]:\(port)"
        let line = "\(name) \(type) \(key.base64)\n"
        do {
            let path = FilePath(file)
            mkdir(path.removingLastComponent().string, 0o700)  // one that is there stays as it is
            let descriptor = try FileDescriptor.open(
                path, .readWrite, options: [.create, .append, .closeOnExec], permissions: [.ownerReadWrite])
            _ = try descriptor.closeAfter {
                // A last line without its end would run into ours.
                let end = try descriptor.seek(offset: 0, from: .end)
                var last: UInt8 = 10
                if end > 0 {
                    _ = try withUnsafeMutableBytes(of: &last) {
                        try descriptor.read(fromAbsoluteOffset: end - 1, into: $0)
                    }
                }
                try descriptor.writeAll(((last == 10 ? "" : "\n") + line).utf8)
            }
        } catch {
            throw ServiceFailure(.unavailable, "cannot add the host's key to \(file): \(error)")
        }
    }
}

extension String {
    /// In known hosts only `*` and `?` stand for others; the brackets are those of `[host]:port`.
    fileprivate var escapingBrackets: String {
        replacing("\\", with: "\\\\").replacing("[", with: "\\[")
    }
}
