import Glibc
import SystemPackage

/// One page of a listing: a walk through the directories in the byte order of keys, which opens only those that can
/// hold a key of this page.
struct ListingWalk: ~Copyable {
    private let store: FileObjectStore
    /// What keys and common prefixes must begin with.
    private let prefix: [UInt8]
    private let after: [UInt8]
    private let rollsUp: Bool
    private let limit: Int
    private let cancellation: BlockingWork.Cancellation
    private(set) var listing = ObjectListing()
    private var last: String?

    init(
        store: FileObjectStore, prefix: String, after: ObjectKey?, rollsUp: Bool, limit: Int,
        cancellation: BlockingWork.Cancellation
    ) {
        self.store = store
        self.prefix = Array(prefix.utf8)
        self.after = after.map { Array($0.text.utf8) } ?? []
        self.rollsUp = rollsUp
        self.limit = limit
        self.cancellation = cancellation
    }

    /// Walks from the directory that the prefix names.
    mutating func run() throws(ObjectStoreError) {
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
        do throws(Errno) {
            let directory = try store.tree.open(directories: directories)
            _ = try walk(directory, base)
        } catch {
            switch error {
            case .noSuchFileOrDirectory: return
            case .notDirectory where !store.tree.rootIsFile: return
            default: throw store.failure(error, "list \(String(decoding: prefix, as: UTF8.self))", nil)
            }
        }
        if cancellation.isCancelled {
            throw ObjectStoreError(.unavailable, "\(store.location): list", cause: CancellationError())
        }
    }

    /// Adds what lies in `directory`, whose keys begin with `base`. False when the page is full.
    private mutating func walk(_ directory: borrowing Descriptor, _ base: [UInt8]) throws(Errno) -> Bool {
        let snapshot = try store.snapshot(of: directory)
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
                guard let child = try openDirectory(name, in: directory, isTop: base.isEmpty) else { continue }
                guard try walk(child, key) else { return false }
            } else if isPast, let text = String(validating: key, as: UTF8.self), key.count <= FileKey.maximumKeyBytes {
                if entry.isDirectory {
                    guard let child = try openDirectory(name, in: directory, isTop: base.isEmpty),
                        try holdsObject(child)
                    else { continue }
                    guard hasRoom(for: text) else { return false }
                    listing.commonPrefixes.append(text)
                } else {
                    let fileName = String(decoding: name, as: UTF8.self)
                    // Gone or replaced since the directory was read.
                    guard let status = try? directory.status(name: fileName), status.isRegularFile else { continue }
                    guard hasRoom(for: text) else { return false }
                    listing.objects.append(ObjectInfo(key: ObjectKey(text), sizeBytes: Int(status.st_size)))
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

    /// Nil when it is gone, or nothing that keys can lie below.
    private func openDirectory(
        _ name: some Sequence<UInt8>, in parent: borrowing Descriptor, isTop: Bool
    ) throws(Errno) -> Descriptor? {
        let bytes = Array(name.dropLast())  // without the slash
        guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
        do throws(Errno) { return try parent.open(name: text, O_RDONLY | O_DIRECTORY) } catch {
            switch error {
            case .noSuchFileOrDirectory, .notDirectory, .tooManySymbolicLinkLevels: return nil
            // What every new file system has at its top, for root alone, is no part of the storage.
            case .permissionDenied where isTop && text == "lost+found": return nil
            default: throw error
            }
        }
    }

    /// A directory without a file in it, or below it, holds no key: it is what an interrupted delete leaves.
    private func holdsObject(_ directory: borrowing Descriptor) throws(Errno) -> Bool {
        var children: [[UInt8]] = []
        let stream = try directory.directoryStream()
        while let (name, type) = try stream.next() {
            switch try DirectorySnapshot.isDirectory(name, type, in: directory) {
            case false?: return true
            case true?: children.append(Array(name) + [UInt8(ascii: "/")])
            case nil: break
            }
        }
        for child in children {
            if let child = try openDirectory(child, in: directory, isTop: false), try holdsObject(child) { return true }
        }
        return false
    }
}

/// The greater of two byte strings.
private func max(_ a: ArraySlice<UInt8>, _ b: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    a.lexicographicallyPrecedes(b) ? b : a
}
