import Digests
import PostgresFormat

/// The numbers that manifests and packs are made of.
enum Format {
    static let manifestMagic = Array("ZENITHMF".utf8)
    static let packMagic = Array("ZENITHPK".utf8)
    /// A reader refuses a higher one.
    static let version: UInt32 = 1
    /// Magic, version, four zero bytes.
    static let headerBytes = 16
    static let digestBytes = 32
    /// Blocks of a frame in a complete snapshot, and the most that any frame holds.
    static let frameBlocks = 64
    static let maximumFrameBytes = frameBlocks * Page.size
    /// What zstd may make of a frame that does not compress, and some.
    static let maximumStoredBytes = maximumFrameBytes + maximumFrameBytes / 128 + 1024
    /// A pack is closed when it has grown past this.
    static let packBytes = 64 << 20

    enum Section {
        static let identity: UInt8 = 1
        static let packs: UInt8 = 2
        static let tablespaces: UInt8 = 3
        static let forks: UInt8 = 4
        static let files: UInt8 = 5
        static let corruptPages: UInt8 = 6
        /// Kinds from here on may be skipped by a reader that does not know them.
        static let firstOptional: UInt8 = 128
    }

    static func header(_ magic: [UInt8]) -> [UInt8] {
        var writer = ByteWriter()
        writer.bytes = magic
        writer.fixed(version)
        writer.fixed(UInt32(0))
        return writer.bytes
    }
}

extension Manifest {
    /// The manifest's bytes, closed by their SHA-256.
    public func encoded() -> [UInt8] {
        var writer = ByteWriter()
        writer.bytes = Format.header(Format.manifestMagic)
        writer.section(Format.Section.identity) { encodeIdentity(&$0) }
        writer.section(Format.Section.packs) { section in
            section.varint(packs.count)
            for pack in packs {
                section.string(pack.name)
                section.varint(pack.sizeBytes)
                section.bytes.append(contentsOf: pack.sha256)
            }
        }
        writer.section(Format.Section.tablespaces) { section in
            section.varint(tablespaces.count)
            for tablespace in tablespaces {
                section.varint(UInt64(tablespace.oid))
                section.string(tablespace.location)
            }
        }
        writer.section(Format.Section.forks) { encodeForks(&$0) }
        writer.section(Format.Section.files) { encodeFiles(&$0) }
        if !corruptPages.isEmpty {
            writer.section(Format.Section.corruptPages) { section in
                section.varint(corruptPages.count)
                for page in corruptPages {
                    section.varint(UInt64(page.fork.tablespace))
                    section.varint(UInt64(page.fork.database))
                    section.varint(UInt64(page.fork.relation))
                    section.fixed(page.fork.fork.rawValue)
                    section.varint(UInt64(page.block))
                }
            }
        }
        writer.bytes.append(contentsOf: Digest.sha256(writer.bytes))
        return writer.bytes
    }

    private func encodeIdentity(_ section: inout ByteWriter) {
        section.bytes.append(contentsOf: identity.timeline.bytes)
        section.fixed(identity.startLSN.rawValue)
        section.fixed(identity.endLSN.rawValue)
        section.fixed(identity.created.microseconds)
        section.string(identity.predecessor)
        section.string(identity.label)
        section.fixed(identity.systemIdentifier)
        section.varint(identity.postgresMajor)
        section.fixed(identity.catalogVersion)
        section.fixed(identity.controlVersion)
        section.fixed(identity.tli)
        section.varint(Page.size)
        section.varint(identity.segmentBlocks)
        section.varint(identity.walSegmentBytes)
        section.fixed(UInt8(identity.dataChecksums ? 1 : 0))
        section.string(identity.writer)
    }

    private func encodeForks(_ section: inout ByteWriter) {
        section.varint(forks.count)
        var coder = LocationCoder()
        var previous = RelationFork(tablespace: 0, database: 0, relation: 0, fork: .main)
        for entry in forks {
            let key = entry.key
            // A difference of 0 says "as before"; a later field then starts from the one before, else from 0.
            section.varint(UInt64(key.tablespace - previous.tablespace))
            if key.tablespace != previous.tablespace { (previous.database, previous.relation) = (0, 0) }
            section.varint(UInt64(key.database - previous.database))
            if key.database != previous.database { previous.relation = 0 }
            section.varint(UInt64(key.relation - previous.relation))
            section.fixed(key.fork.rawValue)
            section.varint(UInt64(entry.blockCount))
            section.varint(entry.frameCount)
            var block = 0
            for frame in frames[entry.firstFrame..<entry.firstFrame + entry.frameCount] {
                section.varint(frame.runCount)
                for run in runs[frame.firstRun..<frame.firstRun + frame.runCount] {
                    section.varint(Int(run.start) - block)
                    section.varint(UInt64(run.count))
                    block = run.end
                }
                coder.encode(frame.location, into: &section)
            }
            previous = key
        }
    }

    private func encodeFiles(_ section: inout ByteWriter) {
        section.varint(files.count)
        var coder = LocationCoder()
        for file in files {
            section.string(file.path)
            section.fixed(file.kind.rawValue)
            section.varint(UInt64(file.mode))
            section.varint(file.sizeBytes)
            section.varint(file.frameCount)
            for frame in fileFrames[file.firstFrame..<file.firstFrame + file.frameCount] {
                section.varint(frame.contentBytes)
                coder.encode(frame.location, into: &section)
            }
        }
    }
}

/// Codes a frame's location against the one before it, behind which it lies as a rule.
struct LocationCoder {
    private var pack = 0
    private var expectedOffset = Format.headerBytes

    mutating func encode(_ location: FrameLocation, into section: inout ByteWriter) {
        section.zigzag(location.pack - pack)
        if location.pack != pack { expectedOffset = Format.headerBytes }
        section.zigzag(location.offset - expectedOffset)
        section.varint(location.storedBytes)
        section.fixed(location.crc32c)
        advance(past: location)
    }

    /// - Parameter packs: What the location is checked against.
    mutating func decode(
        from reader: inout ByteReader, packs: [PackInfo]
    ) throws(SnapshotFormatError) -> FrameLocation {
        let (number, overflow) = pack.addingReportingOverflow(try reader.zigzag())
        guard !overflow, packs.indices.contains(number) else { throw SnapshotFormatError("frame in an unknown pack") }
        if number != pack { expectedOffset = Format.headerBytes }
        let (offset, offsetOverflow) = expectedOffset.addingReportingOverflow(try reader.zigzag())
        let storedBytes = try reader.varint()
        let crc = try reader.fixed(UInt32.self)
        guard !offsetOverflow, offset >= Format.headerBytes, storedBytes <= Format.maximumStoredBytes,
            storedBytes <= packs[number].sizeBytes, offset <= packs[number].sizeBytes - storedBytes
        else { throw SnapshotFormatError("frame outside of \(packs[number].name)") }
        let location = FrameLocation(pack: number, offset: offset, storedBytes: storedBytes, crc32c: crc)
        advance(past: location)
        return location
    }

    private mutating func advance(past location: FrameLocation) {
        pack = location.pack
        expectedOffset = location.offset + location.storedBytes
    }
}
