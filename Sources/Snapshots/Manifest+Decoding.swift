import Digests
import PostgresFormat

extension Manifest {
    /// Reads and checks a manifest: its digest, every count, order and position. What it returns is consistent.
    ///
    /// - Throws: `SnapshotFormatError` for anything else than a manifest of a version that this reader knows.
    public init(decoding bytes: [UInt8]) throws(SnapshotFormatError) {
        let minimum = Format.headerBytes + Format.digestBytes
        guard bytes.count >= minimum, Array(bytes[0..<8]) == Format.manifestMagic else {
            throw SnapshotFormatError("this is not a snapshot manifest")
        }
        let version = bytes[8..<12].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        guard version <= Format.version else {
            throw SnapshotFormatError(
                "the manifest has format version \(version), this program reads up to \(Format.version): "
                    + "use a newer zenith")
        }
        let body = bytes.count - Format.digestBytes
        guard Digest.sha256(bytes[0..<body]) == Array(bytes[body...]) else {
            throw SnapshotFormatError("the manifest does not match its own digest: it is damaged or cut short")
        }
        var reader = ByteReader(bytes.span.bytes.extracting(Format.headerBytes..<body))
        var manifest: Manifest?
        var seen: UInt8 = 0
        while !reader.isAtEnd {
            let kind = try reader.fixed(UInt8.self)
            let length = try reader.varint()
            var section = try reader.sub(length)
            guard kind < Format.Section.firstOptional else { continue }
            guard kind == seen + 1 || (kind > seen && seen >= Format.Section.files) else {
                throw SnapshotFormatError("section \(kind) of the manifest is out of order")
            }
            seen = kind
            if kind == Format.Section.identity {
                manifest = Manifest(identity: try Self.decodeIdentity(&section))
            } else {
                guard manifest != nil else { throw SnapshotFormatError("the manifest does not say whose it is") }
                try manifest!.decode(kind, &section)
            }
            guard section.isAtEnd else { throw SnapshotFormatError("section \(kind) of the manifest has extra bytes") }
        }
        guard let manifest, seen >= Format.Section.files else {
            throw SnapshotFormatError("the manifest lacks a section")
        }
        guard manifest.sumsFit else { throw SnapshotFormatError("the manifest's sizes add up to more than 2^62") }
        self = manifest
    }

    /// Whether everybody may add up its sizes.
    private var sumsFit: Bool {
        let limit = 1 << 62
        var (stored, logical) = (0, 0)
        for pack in packs {
            guard pack.sizeBytes <= limit - stored else { return false }
            stored += pack.sizeBytes
        }
        for fork in forks {
            let size = Int(fork.blockCount) * Page.size
            guard size <= limit - logical else { return false }
            logical += size
        }
        for file in files {
            guard file.sizeBytes <= limit - logical else { return false }
            logical += file.sizeBytes
        }
        return true
    }

    private mutating func decode(_ kind: UInt8, _ section: inout ByteReader) throws(SnapshotFormatError) {
        switch kind {
        case Format.Section.packs: try decodePacks(&section)
        case Format.Section.tablespaces: try decodeTablespaces(&section)
        case Format.Section.forks: try decodeForks(&section)
        case Format.Section.files: try decodeFiles(&section)
        case Format.Section.corruptPages: try decodeCorruptPages(&section)
        default: throw SnapshotFormatError("section \(kind) of the manifest is unknown: use a newer zenith")
        }
    }

    private static func decodeIdentity(_ section: inout ByteReader) throws(SnapshotFormatError) -> SnapshotIdentity {
        let timeline = TimelineUUID(bytes: try section.raw(16))
        let start = LSN(rawValue: try section.fixed(UInt64.self))
        let end = LSN(rawValue: try section.fixed(UInt64.self))
        let created = UTCTime(microseconds: try section.fixed(Int64.self))
        let predecessor = try section.string()
        let label = try section.string()
        let systemIdentifier = try section.fixed(UInt64.self)
        let major = try section.varint()
        let catalog = try section.fixed(UInt32.self)
        let control = try section.fixed(UInt32.self)
        let tli = try section.fixed(UInt32.self)
        let blockSize = try section.varint()
        let segmentBlocks = try section.varint()
        let walSegmentBytes = try section.varint()
        let checksums = try section.fixed(UInt8.self)
        let writer = try section.string()
        guard start <= end else { throw SnapshotFormatError("the snapshot ends before it starts") }
        guard (0...253_402_300_799_000_000).contains(created.microseconds) else {
            throw SnapshotFormatError("the snapshot has no possible time of creation")
        }
        guard blockSize == Page.size else {
            throw SnapshotFormatError("block size \(blockSize) is not supported, only \(Page.size)")
        }
        guard (1...1 << 30).contains(segmentBlocks), (1 << 20...1 << 30).contains(walSegmentBytes),
            walSegmentBytes & (walSegmentBytes - 1) == 0
        else { throw SnapshotFormatError("impossible segment sizes") }
        return SnapshotIdentity(
            timeline: timeline, startLSN: start, endLSN: end, created: created, predecessor: predecessor,
            label: label, systemIdentifier: systemIdentifier, postgresMajor: major, catalogVersion: catalog,
            controlVersion: control, tli: tli, walSegmentBytes: walSegmentBytes, segmentBlocks: segmentBlocks,
            dataChecksums: checksums != 0, writer: writer)
    }

    private mutating func decodePacks(_ section: inout ByteReader) throws(SnapshotFormatError) {
        let count = try section.count(entryBytes: 34)
        packs.reserveCapacity(count)
        for _ in 0..<count {
            let name = try section.string()
            let size = try section.varint()
            let sha256 = try section.raw(Format.digestBytes)
            guard name.hasPrefix("pack-"), name.utf8.count <= 64,
                name.utf8.allSatisfy({ $0 == UInt8(ascii: "-") || (48...57).contains($0) || (97...122).contains($0) })
            else { throw SnapshotFormatError("a pack has an impossible name") }
            guard size >= Format.headerBytes else { throw SnapshotFormatError("\(name) is shorter than its header") }
            packs.append(PackInfo(name: name, sizeBytes: size, sha256: sha256))
        }
    }

    private mutating func decodeTablespaces(_ section: inout ByteReader) throws(SnapshotFormatError) {
        for _ in 0..<(try section.count(entryBytes: 2)) {
            let oid = try section.varint(UInt32.self)
            let location = try section.string()
            guard location.isEmpty || location.hasPrefix("/"), !location.utf8.contains(0) else {
                throw SnapshotFormatError("tablespace \(oid) has an impossible location")
            }
            tablespaces.append(Tablespace(oid: oid, location: location))
        }
    }

    private mutating func decodeForks(_ section: inout ByteReader) throws(SnapshotFormatError) {
        let count = try section.count(entryBytes: 6)
        forks.reserveCapacity(count)
        var coder = LocationCoder()
        var previous = RelationFork(tablespace: 0, database: 0, relation: 0, fork: .main)
        for index in 0..<count {
            var key = previous
            key.tablespace = try add(key.tablespace, try section.unsignedVarint())
            if key.tablespace != previous.tablespace { (key.database, key.relation) = (0, 0) }
            let database = key.database
            key.database = try add(database, try section.unsignedVarint())
            if key.database != database { key.relation = 0 }
            key.relation = try add(key.relation, try section.unsignedVarint())
            guard let fork = ForkKind(rawValue: try section.fixed(UInt8.self)) else {
                throw SnapshotFormatError("a relation has an unknown fork")
            }
            key.fork = fork
            guard index == 0 || previous < key else { throw SnapshotFormatError("relations are out of order") }
            let blockCount = try section.varint(UInt32.self)
            let frameCount = try section.count(entryBytes: 9)
            forks.append(
                ForkEntry(key: key, blockCount: blockCount, firstFrame: frames.count, frameCount: frameCount))
            var block = 0
            for _ in 0..<frameCount { try decodeFrame(&section, &coder, &block, limit: Int(blockCount)) }
            previous = key
            if identity.startLSN.rawValue == 0 && !isCovered(forks[forks.count - 1]) {
                throw SnapshotFormatError("a complete snapshot lacks blocks of \(key)")
            }
        }
    }

    private mutating func decodeFrame(
        _ section: inout ByteReader, _ coder: inout LocationCoder, _ block: inout Int, limit: Int
    ) throws(SnapshotFormatError) {
        let runCount = try section.count(entryBytes: 2)
        let firstRun = runs.count
        var pages = 0
        for _ in 0..<runCount {
            let gap = try section.varint()
            let length = try section.varint()
            guard gap <= limit - block, length >= 1, length <= limit - block - gap else {
                throw SnapshotFormatError("blocks past the end of their relation")
            }
            runs.append(BlockRun(start: UInt32(block + gap), count: UInt32(length)))
            block += gap + length
            pages += length
        }
        guard pages >= 1, pages <= Format.frameBlocks else { throw SnapshotFormatError("a frame of \(pages) pages") }
        let location = try coder.decode(from: &section, packs: packs)
        frames.append(FrameEntry(location: location, firstRun: firstRun, runCount: runCount))
    }

    private func isCovered(_ fork: ForkEntry) -> Bool {
        frames[fork.firstFrame..<fork.firstFrame + fork.frameCount].reduce(0) { $0 + pageCount(of: $1) }
            == Int(fork.blockCount)
    }

    private mutating func decodeFiles(_ section: inout ByteReader) throws(SnapshotFormatError) {
        let count = try section.count(entryBytes: 6)
        var coder = LocationCoder()
        for _ in 0..<count {
            let path = try section.string()
            guard isSafePath(path) else { throw SnapshotFormatError("a file has an impossible path") }
            guard let kind = FileEntry.Kind(rawValue: try section.fixed(UInt8.self)) else {
                throw SnapshotFormatError("\(path) is of an unknown kind")
            }
            if let last = files.last, !last.path.utf8.lexicographicallyPrecedes(path.utf8) {
                throw SnapshotFormatError("files are out of order")
            }
            let mode = try section.varint(UInt16.self)
            let size = try section.varint()
            let frameCount = try section.count(entryBytes: 8)
            guard mode <= 0o7777, kind == .file || (size == 0 && frameCount == 0), size <= 1 << 50 else {
                throw SnapshotFormatError("\(path) has an impossible size or mode")
            }
            files.append(
                FileEntry(
                    path: path, kind: kind, mode: mode, sizeBytes: size, firstFrame: fileFrames.count,
                    frameCount: frameCount))
            var covered = 0
            for _ in 0..<frameCount {
                let contentBytes = try section.varint()
                guard (1...Format.maximumFrameBytes).contains(contentBytes), contentBytes <= size - covered else {
                    throw SnapshotFormatError("a frame past the end of \(path)")
                }
                covered += contentBytes
                let location = try coder.decode(from: &section, packs: packs)
                fileFrames.append(FileFrame(location: location, contentBytes: contentBytes))
            }
        }
    }

    private mutating func decodeCorruptPages(_ section: inout ByteReader) throws(SnapshotFormatError) {
        for _ in 0..<(try section.count(entryBytes: 5)) {
            let tablespace = try section.varint(UInt32.self)
            let database = try section.varint(UInt32.self)
            let relation = try section.varint(UInt32.self)
            guard let fork = ForkKind(rawValue: try section.fixed(UInt8.self)) else {
                throw SnapshotFormatError("a corrupt page has an unknown fork")
            }
            let key = RelationFork(tablespace: tablespace, database: database, relation: relation, fork: fork)
            corruptPages.append(PageKey(fork: key, block: try section.varint(UInt32.self)))
        }
    }
}

private func add(_ value: UInt32, _ difference: UInt64) throws(SnapshotFormatError) -> UInt32 {
    guard let sum = UInt32(exactly: difference), !value.addingReportingOverflow(sum).overflow else {
        throw SnapshotFormatError("an object id past 2^32")
    }
    return value + sum
}

/// Whether a path stays below the directory it is relative to, on any file system.
func isSafePath(_ path: String) -> Bool {
    guard !path.isEmpty, path.utf8.count <= 4096, !path.utf8.contains(0) else { return false }
    return path.split(separator: "/", omittingEmptySubsequences: false).allSatisfy {
        !$0.isEmpty && $0 != "." && $0 != ".." && $0.utf8.count <= 255
    }
}
