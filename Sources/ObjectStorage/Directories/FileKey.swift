/// Where an object lies below the root: the directories on the way, and the file.
///
/// Made from a key that a file system can hold, and that cannot leave the root by its text alone.
struct FileKey: Sendable {
    /// Why no file can have this name.
    struct Fault: Error, CustomStringConvertible {
        let description: String
    }

    /// Files that are still being written. No listing shows them, and no key can name them.
    static let temporaryPrefix = ".zenith-tmp-"
    /// The protocol's bound on a key, and Linux's on a name (`NAME_MAX`), in bytes.
    static let maximumKeyBytes = 1024
    static let maximumNameBytes = 255

    let directories: [String]
    let name: String
    var directoryPath: String { directories.joined(separator: "/") }

    init(_ key: ObjectKey) throws(Fault) {
        guard key.text.utf8.count <= Self.maximumKeyBytes else {
            throw Fault(description: "the key is longer than \(Self.maximumKeyBytes) bytes")
        }
        var segments: [String] = []
        for segment in key.text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            if let reason = Self.fault(inSegment: segment) { throw Fault(description: reason) }
            segments.append(String(Substring(segment)))
        }
        name = segments.removeLast()
        directories = segments
    }

    /// What keeps `segment` from being the name of a file or directory, if anything.
    static func fault(inSegment segment: Substring.UTF8View) -> String? {
        if segment.isEmpty {
            return "a directory cannot hold a key that is empty, or has an empty part between slashes"
        }
        if segment.elementsEqual(".".utf8) || segment.elementsEqual("..".utf8) {
            return "a key with the part \"\(Substring(segment))\" could leave its storage"
        }
        if segment.count > maximumNameBytes {
            return "a directory cannot hold a key with a part longer than \(maximumNameBytes) bytes"
        }
        if segment.contains(0) { return "a key cannot contain a zero byte" }
        if segment.starts(with: temporaryPrefix.utf8) {
            return "names that begin with \(temporaryPrefix) are kept for files that are still being written"
        }
        return nil
    }
}
