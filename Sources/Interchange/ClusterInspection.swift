import PostgresFormat

/// What a cluster says of itself, after the checks that decide whether it can be imported.
struct ClusterFacts: Sendable {
    let control: ControlFile
    /// The file as it was read; read again at the end, it must be the same.
    let controlBytes: [UInt8]
    /// Where the shutdown checkpoint's record ends: the LSN that a snapshot of this cluster is of.
    let endLSN: LSN
    /// The WAL segments, and how much of each, that a start reads: those that hold the checkpoint record.
    let walSegments: [(path: String, contentBytes: Int)]
    let tablespaceVersionDirectory: String
}

/// Checks that a data directory is a cleanly shut-down cluster that this program knows.
struct ClusterInspection {
    let source: any DataDirectorySource
    let entries: [String: SourceEntry]

    func inspect() async throws -> ClusterFacts {
        guard let versionEntry = entries["PG_VERSION"], let controlEntry = entries["global/pg_control"] else {
            throw InterchangeError.refused("\(source.name): PG_VERSION or global/pg_control went away")
        }
        let major: Int
        do { major = try PGVersion(parsing: await source.contents(of: versionEntry)).major } catch let error
            as FormatError
        {
            throw InterchangeError.refused("\(source.name): \(error)")
        }
        let controlBytes = try await source.contents(of: controlEntry)
        let control: ControlFile
        do { control = try ControlFile(parsing: controlBytes) } catch {
            throw InterchangeError.corrupt("\(source.name): global/pg_control: \(error)")
        }
        guard control.majorVersion == major else {
            throw InterchangeError.corrupt(
                "\(source.name): PG_VERSION says \(major), global/pg_control is of PostgreSQL \(control.majorVersion)")
        }
        try await refuseRunning()
        try refuseUnclean(control)
        guard control.blockSize == Page.size else {
            throw InterchangeError.refused(
                "\(source.name) has a block size of \(control.blockSize) bytes; only \(Page.size) is supported")
        }
        let (endLSN, segments) = try await findCheckpoint(control)
        return ClusterFacts(
            control: control, controlBytes: controlBytes, endLSN: endLSN, walSegments: segments,
            tablespaceVersionDirectory: tablespaceVersionDirectory(
                major: major, catalogVersion: control.catalogVersion))
    }

    private func refuseRunning() async throws {
        if let entry = entries["postmaster.pid"] {
            let pid = String(decoding: try await source.contents(of: entry).prefix(while: { $0 != 10 }), as: UTF8.self)
            throw InterchangeError.refused(
                "\(source.name): postmaster.pid is there: PostgreSQL is running on it (pid \(pid)), here or on another "
                    + "host. Stop it with pg_ctl stop -m fast; if it was killed, start and stop it once")
        }
        if entries["backup_label"] != nil {
            throw InterchangeError.refused(
                "\(source.name) holds a backup_label: it is a base backup, not a shut-down cluster. Start PostgreSQL on "
                    + "it, let it recover, stop it, and import it then")
        }
    }

    private func refuseUnclean(_ control: ControlFile) throws {
        guard control.state != .shutDown else { return }
        let advice =
            control.state == .shutDownInRecovery
            ? "it was a standby: promote it, stop it cleanly, and import it then"
            : "start PostgreSQL on it, let it recover, and stop it with pg_ctl stop -m fast"
        throw InterchangeError.refused(
            "\(source.name) was not shut down cleanly: its state is \"\(control.state)\"; \(advice)")
    }

    /// Reads the shutdown checkpoint's record where the control file says it is.
    private func findCheckpoint(_ control: ControlFile) async throws -> (LSN, [(path: String, contentBytes: Int)]) {
        let segmentBytes = UInt64(control.walSegmentSize)
        let tli = control.checkpointCopy.thisTimeLineID
        func path(of segment: UInt64) -> String {
            "pg_wal/" + WALSegment(timeline: tli, number: segment, size: control.walSegmentSize).fileName
        }
        let first = control.checkpoint.rawValue / segmentBytes
        // The record takes some hundred bytes: this segment, or this one and the next.
        var pages: [UInt64: [UInt8]] = [:]
        for page in [0, 1] {
            let position = (control.checkpoint.rawValue / UInt64(Page.size) + UInt64(page)) * UInt64(Page.size)
            let file = path(of: position / segmentBytes)
            guard let entry = entries[file] else {
                guard page == 1 else {
                    throw InterchangeError.corrupt(
                        "\(source.name): \(file) is missing: the WAL of the shutdown checkpoint at "
                            + "\(control.checkpoint) must be there")
                }
                continue
            }
            let offset = Int(position % segmentBytes)
            guard entry.sizeBytes >= offset + Page.size else {
                throw InterchangeError.corrupt("\(source.name): \(file) is cut short")
            }
            let buffer = PageBuffer(bytes: Page.size)
            try await source.open(file).read(at: offset, into: buffer.bytes)
            pages[position] = Array(buffer.bytes)
        }
        do {
            let end = try CheckpointRecord.end(
                at: control.checkpoint, segmentSize: control.walSegmentSize, major: control.majorVersion
            ) { lsn in
                guard let page = pages[lsn.rawValue] else {
                    throw FormatError("the page at \(lsn) is not there")
                }
                return page
            }
            guard end.isShutdown else {
                throw FormatError("the record there is not a shutdown checkpoint")
            }
            let last = (end.endLSN.rawValue - 1) / segmentBytes
            return (
                end.endLSN,
                (first...last).map { number in
                    let content =
                        number < last ? segmentBytes : roundedToPage((end.endLSN.rawValue - 1) % segmentBytes + 1)
                    return (path(of: number), Int(content))
                }
            )
        } catch let error as FormatError {
            throw InterchangeError.corrupt("\(source.name): the shutdown checkpoint at \(control.checkpoint): \(error)")
        }
    }

    private func roundedToPage(_ bytes: UInt64) -> UInt64 {
        (bytes + UInt64(Page.size) - 1) / UInt64(Page.size) * UInt64(Page.size)
    }
}
