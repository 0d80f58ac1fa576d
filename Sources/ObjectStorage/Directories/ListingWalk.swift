/// Directories that hold objects as files: what a listing has to know of them.
protocol ListableTree {
    associatedtype Directory
    associatedtype Failure: Error

    /// The directory below the root; nil when it is not there, or no directory.
    func open(directories: [String]) throws(Failure) -> Directory?
    /// A directory in another; nil when it is gone, or nothing that keys can lie below.
    ///
    /// - Parameter isTop: Whether `parent` is the root.
    func open(_ name: String, in parent: Directory, isTop: Bool) throws(Failure) -> Directory?
    func snapshot(of directory: Directory) throws(Failure) -> DirectorySnapshot
    /// The size of a file whose snapshot does not tell it; nil when it is gone, or no file any more.
    func sizeBytes(of name: String, in directory: Directory) throws(Failure) -> Int?
    /// Whether there is an object right in the directory, and the directories in it as far as they have been read by
    /// then.
    func peek(into directory: Directory) throws(Failure) -> (holdsObject: Bool, directories: [[UInt8]])
}

/// One page of a listing: a walk through the directories in the byte order of keys, which opens only those that can
/// hold a key of this page.
struct ListingWalk<Tree: ListableTree>: ~Copyable {
    private let tree: Tree
    /// What keys and common prefixes must begin with.
    private let prefix: [UInt8]
    private let after: [UInt8]
    private let rollsUp: Bool
    private let limit: Int
    private let cancellation: BlockingWork.Cancellation
    private(set) var listing = ObjectListing()
    private var last: String?

    init(
        _ tree: Tree, prefix: String, after: ObjectKey?, rollsUp: Bool, limit: Int,
        cancellation: BlockingWork.Cancellation
    ) {
        self.tree = tree
        self.prefix = Array(prefix.utf8)
        self.after = after.map { Array($0.text.utf8) } ?? []
        self.rollsUp = rollsUp
        self.limit = limit
        self.cancellation = cancellation
    }

    /// Walks from the directory that the prefix names. Ends early, with part of a page, when it is cancelled.
    mutating func run() throws(Tree.Failure) {
        let slash = UInt8(ascii: "/")
        let baseCount = prefix.lastIndex(of: slash).map { $0 + 1 } ?? 0
        let base = Array(prefix[..<baseCount])
        // A page that begins past all keys with this prefix is empty; one that begins before them, whole.
        if !after.starts(with: base), base.lexicographicallyPrecedes(after) { return }
        var directories: [String] = []
        for segment in base.dropLast().split(separator: slash, omittingEmptySubsequences: false) where baseCount > 0 {
            let name = String(decoding: segment, as: UTF8.self)
            if FileKey.fault(inSegment: Substring(name).utf8) != nil { return }  // no file can have such a key
            directories.append(name)
        }
        guard let directory = try tree.open(directories: directories) else { return }
        _ = try walk(directory, base)
    }

    /// Adds what lies in `directory`, whose keys begin with `base`. False when the page is full.
    private mutating func walk(_ directory: Tree.Directory, _ base: [UInt8]) throws(Tree.Failure) -> Bool {
        let snapshot = try tree.snapshot(of: directory)
        // The rest, in this directory, of the key that the page begins behind, and of the prefix.
        let behind = after.starts(with: base) ? after[base.count...] : []
        let wanted = base.count < prefix.count ? prefix[base.count...] : []
        let firstSegment = behind.firstIndex(of: UInt8(ascii: "/")).map { behind[...$0] } ?? behind
        var index = snapshot.firstIndex(notBefore: max(firstSegment, wanted))
        while index < snapshot.entries.count, !cancellation.isCancelled {
            let entry = snapshot.entries[index]
            let name = snapshot.names[entry.range]
            index += 1
            guard name.starts(with: wanted) else { break }  // sorted: none that follows has it either
            let isPast = behind.lexicographicallyPrecedes(name)
            let key = base + name
            if entry.isDirectory, !rollsUp {
                guard isPast || behind.starts(with: name) else { continue }
                guard let child = try open(name.dropLast(), in: directory, isTop: base.isEmpty) else { continue }
                guard try walk(child, key) else { return false }
            } else if isPast, let text = String(validating: key, as: UTF8.self), key.count <= FileKey.maximumKeyBytes {
                if entry.isDirectory {
                    guard let child = try open(name.dropLast(), in: directory, isTop: base.isEmpty),
                        try holdsObject(child)
                    else { continue }
                    guard hasRoom(for: text) else { return false }
                    listing.commonPrefixes.append(text)
                } else {
                    let fileName = String(decoding: name, as: UTF8.self)
                    var size = entry.sizeBytes
                    if size == nil { size = try tree.sizeBytes(of: fileName, in: directory) }
                    guard let size else { continue }
                    guard hasRoom(for: text) else { return false }
                    listing.objects.append(ObjectInfo(key: ObjectKey(text), sizeBytes: size))
                }
            }
        }
        return true
    }

    /// Notes that there is more when the page is full.
    private mutating func hasRoom(for text: String) -> Bool {
        if listing.objects.count + listing.commonPrefixes.count == limit {
            listing.next = last.map { ObjectKey($0) }
            return false
        }
        last = text
        return true
    }

    private func open(
        _ name: some Sequence<UInt8>, in parent: Tree.Directory, isTop: Bool
    ) throws(Tree.Failure) -> Tree.Directory? {
        guard let text = String(validating: name, as: UTF8.self) else { return nil }
        return try tree.open(text, in: parent, isTop: isTop)
    }

    /// A directory without a file in it, or below it, holds no key: it is what an interrupted delete leaves.
    private func holdsObject(_ directory: Tree.Directory) throws(Tree.Failure) -> Bool {
        let (holdsObject, children) = try tree.peek(into: directory)
        if holdsObject { return true }
        for name in children where !cancellation.isCancelled {
            if let child = try open(name, in: directory, isTop: false), try self.holdsObject(child) { return true }
        }
        return false
    }
}

/// The greater of two byte strings.
private func max(_ a: ArraySlice<UInt8>, _ b: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    a.lexicographicallyPrecedes(b) ? b : a
}
