import Glibc
import SystemPackage

extension Errno {
    /// That of the call just made.
    static var current: Errno { Errno(rawValue: errno) }
}

/// Calls that throw nothing but an `Errno`, whatever they say.
func retrying<Value>(_ body: () throws -> Value) throws(Errno) -> Value {
    do { return try body() } catch { throw error as? Errno ?? .ioError }
}

extension FileDescriptor {
    /// Writes all of it.
    func writeFully(at offset: Int, _ bytes: UnsafeRawBufferPointer) throws(Errno) {
        var rest = bytes
        while !rest.isEmpty {
            let position = offset + bytes.count - rest.count
            let count = Glibc.pwrite(rawValue, rest.baseAddress, rest.count, off_t(position))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw count < 0 ? .current : .ioError }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    /// Reads as much as there is room for, or there is in the file.
    func readFully(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        var filled = 0
        while filled < buffer.count {
            let count = Glibc.pread(
                rawValue, buffer.baseAddress?.advanced(by: filled), buffer.count - filled, off_t(offset + filled))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .current }
            if count == 0 { break }
            filled += count
        }
        return filled
    }

    /// The file's content and length are on disk when it returns.
    func synchronize() throws(Errno) {
        while fsync(rawValue) != 0 { guard errno == EINTR else { throw .current } }
    }

    /// The file's content is on disk when it returns; cheaper where the length has not changed.
    func synchronizeData() throws(Errno) {
        while fdatasync(rawValue) != 0 { guard errno == EINTR else { throw .current } }
    }
}
