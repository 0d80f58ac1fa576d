import CFileSystem
import Glibc
import SystemPackage

/// Gathers bytes that follow each other in a file, and writes them past the page cache: for much at once, where copying
/// into the cache is most of the work.
///
/// Only whole blocks go that way; the rest, and all where a file system does not have it, is written as usual.
struct DirectWriter: ~Copyable {
    private static let blockBytes = 4096
    private static let capacity = 1 << 20

    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: blockBytes)
    /// Where the gathered bytes belong.
    private var offset = 0
    private var count = 0
    private var isSupported = true

    init() {}

    deinit { buffer.deallocate() }

    /// How many bytes the next `add` may have, at least one.
    ///
    /// - Parameter position: Where they belong: behind what was gathered, if that is not written yet.
    mutating func room(at position: Int, in file: FileDescriptor) throws(Errno) -> Int {
        if count == Self.capacity { try write(to: file) }
        guard count == 0 else { return Self.capacity - count }
        let head = -position & (Self.blockBytes - 1)
        return head > 0 ? head : Self.capacity
    }

    /// Takes bytes, no more than `room` said.
    mutating func add(_ bytes: UnsafeRawBufferPointer, at position: Int, in file: FileDescriptor) throws(Errno) {
        if count == 0 {
            guard position & (Self.blockBytes - 1) == 0 else { return try file.writeFully(at: position, bytes) }
            offset = position
        }
        precondition(position == offset + count, "what is gathered has a gap")
        UnsafeMutableRawBufferPointer(rebasing: buffer[count...]).copyMemory(from: bytes)
        count += bytes.count
    }

    /// Writes what was gathered. After an error it is still there.
    mutating func write(to file: FileDescriptor) throws(Errno) {
        let whole = try writeBlocks(to: file)
        try file.writeFully(at: offset + whole, UnsafeRawBufferPointer(rebasing: buffer[whole..<count]))
        count = 0
    }

    /// - Returns: How many bytes went past the page cache.
    private mutating func writeBlocks(to file: FileDescriptor) throws(Errno) -> Int {
        let whole = count & ~(Self.blockBytes - 1)
        guard isSupported, whole > 0 else { return 0 }
        do throws(Errno) {
            guard cfs_set_direct(file.rawValue, 1) == 0 else { throw .current }
            defer { _ = cfs_set_direct(file.rawValue, 0) }
            try file.writeFully(at: offset, UnsafeRawBufferPointer(rebasing: buffer[..<whole]))
        } catch {
            guard error == .invalidArgument else { throw error }
            isSupported = false
            return 0
        }
        return whole
    }
}
