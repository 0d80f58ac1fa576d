import Glibc
import PostgresFormat
import SystemPackage

/// The segments of a directory, mapped; they stay until the program ends.
struct MappedSegments: Sendable {
    static let size = 16 << 20
    let segments: [WALSegment]
    /// Shared by all threads: what is mapped is private to this program, and nobody writes it.
    nonisolated(unsafe) let contents: [UnsafeRawBufferPointer]
    let major: Int

    /// - Parameter end: The last segment is cut there.
    init(_ directory: String, end: LSN, major: Int) throws {
        var names: [String] = []
        guard let entries = opendir(directory) else { throw Errno(rawValue: errno) }
        defer { closedir(entries) }
        while let entry = readdir(entries) {
            names.append(
                withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                })
        }
        var segments: [WALSegment] = []
        var contents: [UnsafeRawBufferPointer] = []
        for name in names.sorted() {
            guard let segment = WALSegment(fileName: name, size: Self.size), segment.startLSN < end else { continue }
            let file = try FileDescriptor.open("\(directory)/\(name)", .readOnly)
            let mapped = mmap(nil, Self.size, PROT_READ, MAP_PRIVATE | Int32(MAP_POPULATE), file.rawValue, 0)
            guard let mapped, mapped != MAP_FAILED else { throw Errno(rawValue: errno) }
            try file.close()
            segments.append(segment)
            let used = min(Self.size, Int(end.rawValue - segment.startLSN.rawValue))
            contents.append(UnsafeRawBufferPointer(start: mapped, count: used))
        }
        (self.segments, self.contents, self.major) = (segments, contents, major)
    }

    var byteCount: Int { contents.reduce(0) { $0 + $1.count } }

    func forEachRecord(from start: LSN? = nil, _ body: (WALRecord) throws -> Void) throws {
        let start = start ?? segments[0].startLSN
        var reader = WALRecordReader(startingAt: start, segmentSize: Self.size, major: major)
        for (segment, content) in zip(segments, contents) where segment.endLSN > start {
            let skipped = max(0, Int(start.rawValue) - Int(segment.startLSN.rawValue))
            var rest = UnsafeRawBufferPointer(rebasing: content[skipped...])
            while let record = try reader.next(&rest) { try body(record) }
        }
    }
}
