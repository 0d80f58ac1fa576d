import Digests
import PostgresFormat
public import SystemPackage

/// Writes frames into local pack files, one after another; one a worker.
///
/// A pack is written under a temporary name, and named after its content when it is whole and on disk.
public struct PackWriter: ~Copyable {
    private let directory: FilePath
    private let worker: Int
    private var compressor: FrameCompressor
    private var open: OpenPack?
    /// The packs that are whole. `FrameLocation.pack` counts in this list, the open pack being the next.
    private var finished: [PackInfo] = []

    private struct OpenPack {
        let descriptor: FileDescriptor
        let path: FilePath
        var size = 0
    }
    private let buffer: UnsafeMutableRawBufferPointer
    private var buffered = 0
    private var hasher = Hasher(.sha256)

    /// - Parameter worker: Tells the packs of one writer from those of another in the same directory.
    public init(directory: FilePath, worker: Int, level: Int) {
        self.directory = directory
        self.worker = worker
        compressor = FrameCompressor(level: level)
        buffer = .allocate(byteCount: 1 << 20, alignment: 4096)
    }

    deinit {
        buffer.deallocate()
        try? open?.descriptor.close()
    }

    /// Compresses and appends one frame of at most `Manifest.frameBytes` bytes.
    public mutating func append(_ content: UnsafeRawBufferPointer) throws -> FrameLocation {
        if let open, open.size >= Format.packBytes { try close() }
        if open == nil { try start() }
        let stored = compressor.compress(content)
        let location = FrameLocation(
            pack: finished.count, offset: open!.size, storedBytes: stored.count, crc32c: crc32c(stored))
        try write(stored)
        return location
    }

    /// Closes the last pack. The packs, in the order that locations count them in.
    public mutating func finish() throws -> [PackInfo] {
        if open != nil { try close() }
        return finished
    }

    private mutating func start() throws {
        let path = directory.appending("writing-\(worker)-\(finished.count)")
        let descriptor = try FileDescriptor.open(
            path, .writeOnly, options: [.create, .truncate], permissions: [.ownerReadWrite])
        open = OpenPack(descriptor: descriptor, path: path)
        hasher = Hasher(.sha256)
        try Format.header(Format.packMagic).withUnsafeBytes { try write($0) }
    }

    private mutating func write(_ bytes: UnsafeRawBufferPointer) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = min(rest.count, buffer.count - buffered)
            UnsafeMutableRawBufferPointer(rebasing: buffer[buffered..<buffered + count])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: rest.prefix(count)))
            buffered += count
            rest = rest.dropFirst(count)
            if buffered == buffer.count { try flush() }
        }
        open!.size += bytes.count
    }

    private mutating func flush() throws {
        let bytes = UnsafeRawBufferPointer(rebasing: buffer[0..<buffered])
        hasher.update(bytes)
        try open!.descriptor.writeAll(bytes)
        buffered = 0
    }

    private mutating func close() throws {
        try flush()
        let pack = open!
        var done = Hasher(.sha256)
        swap(&done, &hasher)
        let sha256 = done.finish()
        try pack.descriptor.synchronize()
        try pack.descriptor.close()
        open = nil
        let name = "pack-\(worker)x\(finished.count)-\(sha256.prefix(8).hexadecimal)"
        try rename(pack.path, to: directory.appending(name))
        finished.append(PackInfo(name: name, sizeBytes: pack.size, sha256: sha256))
    }
}
