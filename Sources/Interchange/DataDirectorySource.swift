/// One file or directory of a data directory, wherever that is kept.
public struct SourceEntry: Sendable {
    /// Relative to the data directory, with `/`; what lies in a tablespace is below `pg_tblspc/<oid>/`.
    public let path: String
    public let isDirectory: Bool
    /// Permission bits.
    public let mode: UInt16
    public let sizeBytes: Int

    public init(path: String, isDirectory: Bool, mode: UInt16, sizeBytes: Int) {
        self.path = path
        self.isDirectory = isDirectory
        self.mode = mode
        self.sizeBytes = sizeBytes
    }
}

/// An open file of a data directory.
public protocol SourceFile: Sendable {
    /// Fills `buffer` with the bytes from `offset` on. Throws when the file ends before.
    func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) async throws
}

/// A data directory that can only be read: local, or as objects in a storage.
public protocol DataDirectorySource: Sendable {
    /// For messages: the path or the URI.
    var name: String { get }
    /// All files and directories, in any order.
    func entries() async throws -> [SourceEntry]
    /// The directory of each tablespace, by OID; empty for one inside of the data directory, or when unknown.
    func tablespaces() async throws -> [UInt32: String]
    func open(_ path: String) async throws -> any SourceFile
    /// Asked before `entries`, which may take long on what is no data directory at all.
    func exists(_ path: String) async throws -> Bool
}

extension DataDirectorySource {
    /// A small file whole.
    func contents(of entry: SourceEntry, limit: Int = 1 << 20) async throws -> [UInt8] {
        guard entry.sizeBytes <= limit else {
            throw InterchangeError.refused(
                "\(name): \(entry.path) is \(entry.sizeBytes) bytes long, which it cannot be")
        }
        let file = try await open(entry.path)
        let buffer = PageBuffer(bytes: entry.sizeBytes)
        try await file.read(at: 0, into: buffer.bytes)
        return Array(buffer.bytes)
    }
}

/// Memory of a worker's own, freed with it. Passed across awaits, so a reference; used by one task at a time.
final class PageBuffer: @unchecked Sendable {
    let bytes: UnsafeMutableRawBufferPointer

    init(bytes count: Int) {
        bytes = .allocate(byteCount: max(count, 1), alignment: 4096).prefixed(count)
    }

    deinit { bytes.baseAddress?.deallocate() }
}

extension UnsafeMutableRawBufferPointer {
    func prefixed(_ count: Int) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: self[0..<count])
    }
}

extension UnsafeRawBufferPointer {
    func slice(_ offset: Int, _ count: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: self[offset..<offset + count])
    }
}

/// Why an import or export did not happen or did not end well.
public enum InterchangeError: Error, Sendable, CustomStringConvertible {
    /// The source is not what can be imported; the text says why and what to do.
    case refused(String)
    /// The source contradicts itself or fails its checksums.
    case corrupt(String)
    /// The place to write to is taken.
    case exists(String)
    /// A file could not be read or written.
    case io(String)

    public var description: String {
        switch self {
        case .refused(let text), .corrupt(let text), .exists(let text), .io(let text): text
        }
    }
}
