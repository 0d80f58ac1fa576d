import PostgresFormat
import SystemPackage

extension WALDirectory {
    /// Where WAL ends: behind the last whole record of the newest timeline. Its segments are on disk then, whatever the
    /// process that wrote them came to. Nil where there is no WAL.
    ///
    /// - Returns: Also whether the last record was a switch to the next segment.
    func findEnd() throws(WALStoreError) -> (position: WALStore.Position, isUnused: Bool)? {
        let segments = try segments()
        guard let last = segments.last else { return nil }
        let before = segments.dropLast().last
        // The one before may end with the beginning of a record.
        let isContiguous = before?.timeline == last.timeline && before?.number == last.number - 1
        let first = isContiguous ? before ?? last : last
        var scanner = WALRecordScanner(startingAt: first.startLSN, segmentSize: last.size, checksCRC: true)
        for segment in first == last ? [last] : [first, last] {
            guard let fault = try scan(segment, &scanner) else { continue }
            // A segment is begun when the one before is full and on disk.
            guard segment == last else {
                throw .damaged(
                    "\(file(segment)) is damaged: \(fault). Move the files from it on away, so that they are received "
                        + "again from \(segment.startLSN) on, if the primary still has them")
            }
        }
        if let found = scanner.systemIdentifier, found != identity.systemIdentifier {
            throw .damaged(
                "\(file(last)) is of the cluster with system identifier \(found), not \(identity.systemIdentifier)")
        }
        // Nothing whole in it: it was begun, and not one record has come.
        let end = scanner.lastRecordEnd ?? first.startLSN
        return (WALStore.Position(timeline: last.timeline, flushed: end), scanner.isUnused)
    }

    /// Scans a segment, and sees to it that it is on disk.
    ///
    /// - Returns: What ended the scan before the segment's end, if anything did.
    private func scan(_ segment: WALSegment, _ scanner: inout WALRecordScanner) throws(WALStoreError) -> FormatError? {
        let path = file(segment)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { buffer.deallocate() }
        do throws(Errno) {
            let file = try retrying { try FileDescriptor.open(path, .readWrite, options: .closeOnExec) }
            defer { try? file.close() }
            try file.synchronize()
            var offset = 0
            while offset < segment.size {
                let count = try file.readFully(at: offset, into: buffer)
                guard count > 0 else { return FormatError("it ends after \(offset) bytes") }
                do throws(FormatError) { try scanner.scan(UnsafeRawBufferPointer(rebasing: buffer[..<count])) } catch {
                    return error
                }
                offset += count
            }
            return nil
        } catch {
            throw WALStoreError("reading \(path)", error)
        }
    }
}
