import Glibc
public import PostgresFormat

/// An open segment file. The server reads it on threads of its own, where blocking is allowed.
///
/// The file must not be filled with other WAL while this object lives: it may be removed, but not recycled.
public final class WALSegmentFile: Sendable {
    public let segment: WALSegment
    private let descriptor: Int32

    /// - Parameters:
    ///   - segment: Which segment the file's first byte begins. The file may be shorter than a whole one.
    ///   - descriptor: Open for reading. This object owns it from now on, and closes it in the end.
    public init(_ segment: WALSegment, descriptor: Int32) {
        self.segment = segment
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// Fills `buffer` with the WAL from `lsn` on, which lies in this segment. Blocks.
    func read(from lsn: LSN, into buffer: UnsafeMutableRawBufferPointer) throws(SegmentReadError) {
        var filled = 0
        while filled < buffer.count {
            let offset = Int(lsn.rawValue - segment.startLSN.rawValue) + filled
            let count = pread(descriptor, buffer.baseAddress! + filled, buffer.count - filled, off_t(offset))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .failed(segment, offset: offset, errno: errno) }
            guard count > 0 else { throw .short(segment, offset: offset) }
            filled += count
        }
    }
}

/// Why a segment file did not give what it should hold.
enum SegmentReadError: Error, CustomStringConvertible {
    case failed(WALSegment, offset: Int, errno: Int32)
    case short(WALSegment, offset: Int)

    var description: String {
        switch self {
        case .failed(let segment, let offset, let errno):
            "cannot read WAL segment \(segment) at offset \(offset): \(String(cString: strerror(errno)))"
        case .short(let segment, let offset): "WAL segment \(segment) ends at offset \(offset), before its WAL does"
        }
    }
}
