import Glibc
import PostgresFormat
import SystemPackage
import WALRedo

/// The relations of a cluster as WAL changes them, over a data directory that stays as it is: pages that were changed, and
/// how much of the directory still counts.
final class ClusterPages {
    /// A page in memory, and the resource manager that changed it last.
    struct Entry {
        let bytes: UnsafeMutableRawPointer
        var manager: ResourceManager
    }

    /// A fork that was touched.
    private struct Fork {
        var pages: [UInt32: Entry] = [:]
        /// Nil where it has no file.
        var blocks: UInt32?
        /// The file of the base that its other pages are in, as far as this many blocks.
        var base: RelationFork?
        var baseBlocks: UInt32 = 0
    }

    private let base: BaseDirectory?
    private let arena: PageArena
    private var forks: [RelationFork: Fork] = [:]
    /// Where the files of a directory were in the base; nil where they were not. Those that are not listed are themselves.
    private var origins: [DatabaseDirectory: DatabaseDirectory?] = [:]

    /// - Parameter base: Nil: nothing is known but what WAL makes.
    init(base: BaseDirectory?, scratch: FilePath) throws {
        self.base = base
        arena = try PageArena(directory: scratch)
    }

    // MARK: - Pages

    private func load(_ name: RelationFork) throws -> Fork {
        if let known = forks[name] { return known }
        var fork = Fork()
        let directory = DatabaseDirectory(tablespace: name.tablespace, database: name.database)
        if let origin = origins[directory, default: directory], let base {
            var source = name
            (source.tablespace, source.database) = (origin.tablespace, origin.database)
            if let blocks = try base.blockCount(source) {
                (fork.blocks, fork.base, fork.baseBlocks) = (blocks, source, blocks)
            }
        }
        return fork
    }

    /// How many blocks there are; nil where the fork has no file.
    func blockCount(_ name: RelationFork) throws -> UInt32? { try load(name).blocks }

    /// - Parameter manager: That of the record that changes the page.
    /// - Returns: A page that is there.
    func existing(_ key: PageKey, for manager: ResourceManager) throws -> UnsafeMutableRawPointer? {
        let name = key.fork
        if let bytes = forks[name]?.pages[key.block]?.bytes {
            forks[name]!.pages[key.block]!.manager = manager
            return bytes
        }
        let fork = try load(name)
        guard let blocks = fork.blocks, key.block < blocks else { return nil }
        let bytes = try arena.allocate()
        if let source = fork.base, key.block < fork.baseBlocks, let base {
            guard try base.readPage(source, key.block, into: bytes) else { throw Errno.ioError }
        } else {
            memset(bytes, 0, Page.size)
        }
        put(bytes, key, manager, fork)
        return bytes
    }

    /// - Returns: A page that was there, or one of zeros.
    func made(_ key: PageKey, for manager: ResourceManager) throws -> UnsafeMutableRawPointer {
        if let bytes = try existing(key, for: manager) { return bytes }
        var fork = try load(key.fork)
        let bytes = try arena.allocate()
        memset(bytes, 0, Page.size)
        fork.blocks = max(fork.blocks ?? 0, key.block + 1)
        put(bytes, key, manager, fork)
        return bytes
    }

    private func put(_ bytes: UnsafeMutableRawPointer, _ key: PageKey, _ manager: ResourceManager, _ fork: Fork) {
        forks[key.fork, default: fork].pages[key.block] = Entry(bytes: bytes, manager: manager)
        forks[key.fork]!.blocks = fork.blocks
    }

    /// What a page that is of no use any more leaves.
    func forget(_ key: PageKey) {
        guard let entry = forks[key.fork]?.pages.removeValue(forKey: key.block) else { return }
        arena.release(entry.bytes)
    }

    /// Reads a page as it is now, without keeping it.
    ///
    /// - Returns: The manager that changed it; nil where it is the base's, or zeros.
    func copy(_ key: PageKey, into bytes: UnsafeMutableRawPointer) throws -> ResourceManager? {
        let fork = try load(key.fork)
        if let entry = fork.pages[key.block] {
            bytes.copyMemory(from: entry.bytes, byteCount: Page.size)
            return entry.manager
        }
        if let source = fork.base, key.block < fork.baseBlocks, let base {
            guard try base.readPage(source, key.block, into: bytes) else { throw Errno.ioError }
        } else {
            memset(bytes, 0, Page.size)
        }
        return nil
    }

    // MARK: - Files

    func create(_ name: RelationFork) throws {
        var fork = try load(name)
        fork.blocks = fork.blocks ?? 0
        forks[name] = fork
    }

    func truncate(_ name: RelationFork, to blocks: UInt32) throws {
        var fork = try load(name)
        guard let old = fork.blocks, blocks < old else { return }
        fork.blocks = blocks
        fork.baseBlocks = min(fork.baseBlocks, blocks)
        for (block, entry) in fork.pages where block >= blocks {
            arena.release(entry.bytes)
            fork.pages[block] = nil
        }
        forks[name] = fork
    }

    func drop(_ relation: RelationLocator) {
        for kind in ForkKind.allCases { drop(relation.fork(kind)) }
    }

    private func drop(_ name: RelationFork) {
        for entry in forks[name]?.pages.values.map(\.bytes) ?? [] { arena.release(entry) }
        forks[name] = Fork()
    }

    func drop(_ directory: DatabaseDirectory) {
        for name in forks.keys where name.isIn(directory) {
            for entry in forks[name]!.pages.values { arena.release(entry.bytes) }
            forks[name] = nil
        }
        origins[directory] = .some(nil)
    }

    func copy(_ source: DatabaseDirectory, to target: DatabaseDirectory) throws {
        drop(target)
        origins[target] = origins[source, default: source]
        for (name, fork) in forks where name.isIn(source) {
            var copied = fork
            for (block, entry) in fork.pages {
                let bytes = try arena.allocate()
                bytes.copyMemory(from: entry.bytes, byteCount: Page.size)
                copied.pages[block] = Entry(bytes: bytes, manager: entry.manager)
            }
            var newName = name
            (newName.tablespace, newName.database) = (target.tablespace, target.database)
            forks[newName] = copied
        }
    }

    /// Forks that were touched and have a file.
    var touched: [RelationFork] { forks.filter { $0.value.blocks != nil }.keys.sorted() }
}
