import Glibc
import PostgresFormat
import SystemPackage

/// Memory for pages in a file that has no name: however many there are, the kernel may write them out.
final class PageArena {
    private let descriptor: FileDescriptor
    private var chunks: [UnsafeMutableRawPointer] = []
    private var used = 0
    private var free: [UnsafeMutableRawPointer] = []
    private static let pagesPerChunk = 8192

    /// - Parameter directory: Has the file while it lives.
    /// - Throws: `Errno`.
    init(directory: FilePath) throws {
        let path = directory.appending("zenith-pages-\(getpid())-\(UInt64.random(in: 0...UInt64.max))")
        descriptor = try FileDescriptor.open(
            path, .readWrite, options: [.create, .exclusiveCreate, .closeOnExec], permissions: .ownerReadWrite)
        unlink(path.string)
    }

    deinit {
        for chunk in chunks { munmap(chunk, Self.chunkBytes) }
        try? descriptor.close()
    }

    private static var chunkBytes: Int { pagesPerChunk * Page.size }

    /// Memory for a page, with anything in it.
    ///
    /// - Throws: `Errno`; where the disk is full, here and not at the first write.
    func allocate() throws -> UnsafeMutableRawPointer {
        if let page = free.popLast() { return page }
        if used == chunks.count * Self.pagesPerChunk {
            let start = chunks.count * Self.chunkBytes
            let status = posix_fallocate(descriptor.rawValue, off_t(start), off_t(Self.chunkBytes))
            guard status == 0 else { throw Errno(rawValue: status) }
            let mapped = mmap(
                nil, Self.chunkBytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor.rawValue, off_t(start))
            guard let mapped, mapped != MAP_FAILED else { throw Errno(rawValue: errno) }
            chunks.append(mapped)
        }
        defer { used += 1 }
        return chunks[used / Self.pagesPerChunk] + used % Self.pagesPerChunk * Page.size
    }

    func release(_ page: UnsafeMutableRawPointer) { free.append(page) }
}
