import ObjectStorage
import StorageURI
public import SystemPackage

/// One snapshot and where its packs are: a local directory, whole, in part or damaged, and storage behind it.
public struct SnapshotReader: Sendable {
    public let manifest: Manifest
    let local: FilePath?
    let repository: Repository?
    let cache: FrameCache?

    /// - Parameters:
    ///   - local: The snapshot's local directory. What is sound there is read there.
    ///   - repository: Where the rest is read; nil for a snapshot that was never pushed.
    ///   - cache: Keeps what was read from storage in `local`; nil for none.
    public init(manifest: Manifest, local: FilePath?, repository: Repository?, cache: FrameCache? = nil) {
        self.manifest = manifest
        self.local = local
        self.repository = repository
        self.cache = cache
    }

    /// Why frames from storage are not kept any more; nil as long as they are, or where they are not to be.
    public var cacheProblem: String? { cache?.problem }
}

/// Frames of one pack that lie side by side, read with one request.
public struct FrameGroup: Sendable {
    public let pack: Int
    public let offset: Int
    public private(set) var sizeBytes: Int
    public private(set) var locations: [FrameLocation]

    public init(_ first: FrameLocation) {
        pack = first.pack
        offset = first.offset
        sizeBytes = first.storedBytes
        locations = [first]
    }

    /// Takes a location that lies directly behind, as long as the group stays of a size that is good for one request.
    public mutating func extend(_ next: FrameLocation) -> Bool {
        guard next.pack == pack, next.offset == offset + sizeBytes, sizeBytes + next.storedBytes <= 4 << 20,
            locations.count < 256
        else { return false }
        sizeBytes += next.storedBytes
        locations.append(next)
        return true
    }
}

/// Reads and expands frames; one a worker.
public struct FrameReader: ~Copyable {
    private let snapshot: SnapshotReader
    private var decompressor = FrameDecompressor()
    private var buffer: UnsafeMutableRawBufferPointer
    private var openPack: (pack: Int, descriptor: FileDescriptor)?

    public init(_ snapshot: SnapshotReader) {
        self.snapshot = snapshot
        buffer = .allocate(byteCount: 4 << 20, alignment: 4096)
    }

    deinit {
        buffer.deallocate()
        try? openPack?.descriptor.close()
    }

    /// Reads a group and checks each of its frames. They stay here until the next call.
    ///
    /// - Throws: `RepositoryError.damaged` naming the object when content fails its check here and in storage.
    public mutating func load(_ group: FrameGroup) async throws {
        if buffer.count < group.sizeBytes {
            buffer.deallocate()
            buffer = .allocate(byteCount: group.sizeBytes, alignment: 4096)
        }
        let pack = snapshot.manifest.packs[group.pack]
        if try loadLocal(group, pack) { return }
        guard let repository = snapshot.repository else {
            let directory = snapshot.local.map { $0.appending(pack.name).string } ?? pack.name
            throw RepositoryError.damaged("\(directory) is missing or damaged, and the snapshot is not in storage yet")
        }
        let key = Repository.key(snapshot.manifest.name, pack.name)
        for attempt in 1...2 {
            let bytes = try await read(key, group.offset..<group.offset + group.sizeBytes, repository)
            guard bytes.count == group.sizeBytes else {
                throw RepositoryError.damaged(
                    "\(repository.location): \(key) is cut short: it ends at byte \(group.offset + bytes.count)")
            }
            buffer.copyBytes(from: bytes)
            if let bad = firstBad(group) {
                // Once more: the object may be sound, and the way from there not.
                guard attempt == 2 else { continue }
                throw RepositoryError.damaged(
                    "\(repository.location): \(key): the frame at byte \(bad.offset) fails its checksum")
            }
            if let directory = snapshot.local { snapshot.cache?.keep(bytes, at: group.offset, of: pack, in: directory) }
            return
        }
    }

    private func read(_ key: ObjectKey, _ range: Range<Int>, _ repository: Repository) async throws -> [UInt8] {
        do { return try await repository.store.get(key, range: range) } catch {
            guard error.code == .notFound else { throw error }
            throw RepositoryError.damaged("\(repository.location): \(key) is missing, though its manifest is there")
        }
    }

    private mutating func loadLocal(_ group: FrameGroup, _ pack: PackInfo) throws -> Bool {
        guard let directory = snapshot.local else { return false }
        if openPack?.pack != group.pack {
            try? openPack?.descriptor.close()
            openPack = nil
            guard let descriptor = try? FileDescriptor.open(directory.appending(pack.name), .readOnly) else {
                return false
            }
            openPack = (group.pack, descriptor)
        }
        var done = 0
        while done < group.sizeBytes {
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer[done..<group.sizeBytes])
            guard
                let count = try? openPack!.descriptor.read(fromAbsoluteOffset: Int64(group.offset + done), into: part),
                count > 0
            else { return false }  // not whole, or not readable: storage has it
            done += count
        }
        return firstBad(group) == nil
    }

    private func firstBad(_ group: FrameGroup) -> FrameLocation? {
        group.locations.first { crc32c(stored($0, group)) != $0.crc32c }
    }

    private func stored(_ location: FrameLocation, _ group: FrameGroup) -> UnsafeRawBufferPointer {
        let start = location.offset - group.offset
        return UnsafeRawBufferPointer(rebasing: buffer[start..<start + location.storedBytes])
    }

    /// Expands one frame of the group that was loaded last.
    public mutating func expand(
        _ location: FrameLocation, of group: FrameGroup, into content: UnsafeMutableRawBufferPointer
    ) throws {
        do { try decompressor.expand(stored(location, group), into: content) } catch {
            throw RepositoryError.damaged("\(snapshot.manifest.packs[group.pack].name) at \(location.offset): \(error)")
        }
    }
}
