import SystemPackage

/// A file opened for reading, closed when nobody holds it any more.
final class OpenFile: Sendable {
    let descriptor: FileDescriptor

    init(path: String) throws(Errno) {
        do { descriptor = try FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec) } catch {
            throw error as? Errno ?? .ioError
        }
    }

    deinit { try? descriptor.close() }

    /// The length of the file now.
    func byteCount() throws(Errno) -> Int {
        do { return Int(try descriptor.seek(offset: 0, from: .end)) } catch { throw error as? Errno ?? .ioError }
    }
}

/// A run of bytes in an open file. Reading moves no shared position: any number of regions of a file are read at once.
public struct FileRegion: Sendable {
    let file: OpenFile
    public let offset: Int
    public let count: Int

    /// Reads from `position` within the region, as much as there is room for, and not past its end.
    ///
    /// - Returns: The bytes read; 0 before the region's end means that the file is shorter than it was.
    func read(at position: Int, into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        let wanted = min(buffer.count, count - position)
        guard wanted > 0 else { return 0 }
        let target = UnsafeMutableRawBufferPointer(rebasing: buffer[0..<wanted])
        do {
            return try file.descriptor.read(fromAbsoluteOffset: Int64(offset + position), into: target)
        } catch {
            throw error as? Errno ?? .ioError
        }
    }
}
