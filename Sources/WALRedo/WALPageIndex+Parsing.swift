import CChecksum
public import PostgresFormat

extension WALPageIndex {
    private typealias Layout = WALPageIndexLayout

    /// - Parameter bytes: What a builder has made, all of it.
    /// - Throws: It is damaged, or of a version that is not known: it has to be made anew.
    public init(parsing bytes: [UInt8]) throws(FormatError) {
        var parts: Parts?
        var failure = IndexCursor.damage
        bytes.withUnsafeBytes { content in
            do throws(FormatError) { parts = try Parts(content) } catch { failure = error }
        }
        guard let parts else { throw failure }
        self.bytes = bytes
        segment = parts.segment
        major = parts.major
        end = parts.end
        newestXid = parts.newestXid
        pageCount = parts.pageCount
        fileChanges = parts.fileChanges
        forks = parts.forks
        sections = parts.sections
    }

    /// What is read at once; pages are looked up when they are asked for.
    private struct Parts {
        let segment: WALSegment
        let major: Int
        let end: LSN
        let newestXid: UInt32
        let pageCount: Int
        let sections: Sections
        let forks: [ForkEntry]
        let fileChanges: [FileChange]

        init(_ bytes: UnsafeRawBufferPointer) throws(FormatError) {
            guard bytes.count >= Layout.headerSize + Layout.crcSize, field(0, UInt64.self) == Layout.magic else {
                throw .invalid("it is no page index")
            }
            let version = field(Layout.Header.version, UInt16.self)
            guard version == Layout.version else { throw .unsupportedVersion("page index of version \(version)") }
            let covered = bytes.count - Layout.crcSize
            let (stored, computed) = (field(covered, UInt32.self), cchecksum_crc32c(0, bytes.baseAddress, covered))
            guard stored == computed else {
                throw .badCRC(what: "the page index", stored: stored, computed: computed)
            }
            func field<T: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, _: T.Type) -> T {
                T(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
            }
            func count(_ offset: Int) -> Int { Int(field(offset, UInt32.self)) }

            let size = count(Layout.Header.segmentSize)
            let start = field(Layout.Header.start, UInt64.self)
            end = LSN(rawValue: field(Layout.Header.end, UInt64.self))
            guard WALSegment.isValidSize(size), start % UInt64(size) == 0, end.rawValue >= start,
                end.rawValue - start <= UInt64(size), end.rawValue % 8 == 0
            else { throw IndexCursor.damage }
            segment = WALSegment(
                timeline: field(Layout.Header.timeline, UInt32.self), number: start / UInt64(size), size: size)
            major = Int(field(Layout.Header.major, UInt16.self))
            newestXid = field(Layout.Header.newestXid, UInt32.self)
            pageCount = count(Layout.Header.pages)

            let groups = Layout.headerSize + count(Layout.Header.forks) * Layout.forkSize
            let pages = groups + count(Layout.Header.groups) * Layout.groupSize
            let changes = pages + count(Layout.Header.pageBytes)
            let effects = changes + count(Layout.Header.changeBytes)
            sections = Sections(
                groups: groups, pages: pages, changes: changes, effects: effects,
                effectCount: count(Layout.Header.effects), crc: covered)
            guard effects + count(Layout.Header.effectBytes) == covered else { throw IndexCursor.damage }
            forks = try Self.forks(bytes, count(Layout.Header.forks), sections, pageCount)
            fileChanges = try Self.fileChanges(bytes, count(Layout.Header.changes), sections, segment)
        }

        private static func forks(
            _ bytes: UnsafeRawBufferPointer, _ count: Int, _ sections: Sections, _ pageCount: Int
        ) throws(FormatError) -> [ForkEntry] {
            var cursor = IndexCursor(bytes, Layout.headerSize..<sections.groups)
            var forks: [ForkEntry] = []
            forks.reserveCapacity(count)
            var (groups, pages) = (0, 0)
            for _ in 0..<count {
                let (tablespace, database) = (try cursor.read(UInt32.self), try cursor.read(UInt32.self))
                let relation = try cursor.read(UInt32.self)
                guard let kind = UInt8(exactly: try cursor.read(UInt32.self)).flatMap(ForkKind.init(rawValue:)) else {
                    throw IndexCursor.damage
                }
                let fork = RelationFork(tablespace: tablespace, database: database, relation: relation, fork: kind)
                let (first, own) = (Int(try cursor.read(UInt32.self)), Int(try cursor.read(UInt32.self)))
                guard first == groups, own > 0, forks.last.map({ $0.fork < fork }) ?? true else {
                    throw IndexCursor.damage
                }
                forks.append(ForkEntry(fork: fork, firstGroup: first, pageCount: own))
                groups += (own + Layout.pagesPerGroup - 1) / Layout.pagesPerGroup
                pages += own
            }
            guard groups * Layout.groupSize == sections.pages - sections.groups, pages == pageCount else {
                throw IndexCursor.damage
            }
            return forks
        }

        private static func fileChanges(
            _ bytes: UnsafeRawBufferPointer, _ count: Int, _ sections: Sections, _ segment: WALSegment
        ) throws(FormatError) -> [FileChange] {
            var cursor = IndexCursor(bytes, sections.changes..<sections.effects)
            var changes: [FileChange] = []
            var unit: UInt32 = 0
            for _ in 0..<count {
                unit = try WALPageIndex.advance(unit, by: cursor.varint(), segment)
                let kind = try changeKind(&cursor)
                changes.append(FileChange(lsn: WALPageIndex.lsn(unit, segment), kind: kind))
            }
            guard cursor.isAtEnd else { throw IndexCursor.damage }
            return changes
        }

        private static func changeKind(_ cursor: inout IndexCursor) throws(FormatError) -> FileChange.Kind {
            switch try cursor.read(UInt8.self) {
            case Layout.ChangeKind.created:
                let relation = try locator(&cursor)
                guard let kind = ForkKind(rawValue: try cursor.read(UInt8.self)) else { throw IndexCursor.damage }
                return .created(relation.fork(kind))
            case Layout.ChangeKind.truncated:
                let (relation, blocks) = (try locator(&cursor), try cursor.read(UInt32.self))
                return .truncated(
                    relation, blocks: blocks, forks: TruncatedForks(rawValue: UInt32(try cursor.read(UInt8.self))))
            case Layout.ChangeKind.dropped: return .dropped(try locator(&cursor))
            case Layout.ChangeKind.databaseCreated: return .databaseCreated(try directory(&cursor))
            case Layout.ChangeKind.databaseCopied:
                let target = try directory(&cursor)
                return .databaseCopied(target, from: try directory(&cursor))
            case Layout.ChangeKind.databaseDropped: return .databaseDropped(try directory(&cursor))
            default: throw IndexCursor.damage
            }
        }

        private static func locator(_ cursor: inout IndexCursor) throws(FormatError) -> RelationLocator {
            let (tablespace, database) = (try cursor.read(UInt32.self), try cursor.read(UInt32.self))
            return RelationLocator(
                tablespace: tablespace, database: database, relation: try cursor.read(UInt32.self))
        }

        private static func directory(_ cursor: inout IndexCursor) throws(FormatError) -> DatabaseDirectory {
            let tablespace = try cursor.read(UInt32.self)
            return DatabaseDirectory(tablespace: tablespace, database: try cursor.read(UInt32.self))
        }
    }

    @inline(__always)
    static func lsn(_ unit: UInt32, _ segment: WALSegment) -> LSN {
        LSN(rawValue: segment.startLSN.rawValue &+ UInt64(unit) << 3)
    }

    /// The next record's place, which lies within the segment.
    ///
    /// - Parameter distance: Of no more than five bytes.
    @inline(__always)
    static func advance(_ unit: UInt32, by distance: UInt64, _ segment: WALSegment) throws(FormatError) -> UInt32 {
        let next = UInt64(unit) + distance
        guard next < UInt64(segment.size / 8) else { throw IndexCursor.damage }
        return UInt32(next)
    }
}
