import Foundation
import PostgresFormat
import TestSupport
import WALRedo

/// Cuts seeds for every target out of what servers write.
struct SeedMaker: ~Copyable {
    private let major: Int
    private var corpus: SeedCorpus
    private let redo: PageRedo
    private var pages: [PageKey: UnsafeMutableRawPointer] = [:]
    private var builder: WALPageIndexBuilder
    private var indexedRecords = 0
    private static let segmentSize = 1 << 20

    /// - Parameter directory: Gets a directory for each target.
    static func run(_ directory: String) throws {
        var corpus = SeedCorpus(directory)
        let installations = PostgresInstallation.majors.compactMap(PostgresInstallation.available)
        guard !installations.isEmpty else { throw PostgresTestError("no PostgreSQL is installed") }
        for installation in installations {
            var maker = SeedMaker(installation.major, corpus)
            try maker.take(wal(of: installation))
            corpus = maker.corpus
        }
        for (target, count) in corpus.counts.sorted(by: { $0.key < $1.key }) { print("\(count) seeds for \(target)") }
    }

    private init(_ major: Int, _ corpus: SeedCorpus) {
        self.major = major
        self.corpus = corpus
        redo = PageRedo(major: major, logsHints: true)
        builder = WALPageIndexBuilder(WALSegment(timeline: 1, number: 0, size: Self.segmentSize), major: major)
    }

    deinit { for page in pages.values { page.deallocate() } }

    /// Records that say what they do, and few images, which are compressed in all ways there are.
    private static func wal(of installation: PostgresInstallation) throws -> (start: LSN, bytes: [UInt8]) {
        let compression = [14: "on", 15: "lz4", 18: "zstd"][installation.major] ?? "off"
        let lines =
            WALWorkload.configuration.filter { !$0.hasPrefix("wal_level") } + [
                "full_page_writes = off", "wal_compression = \(compression)",
            ]
        let cluster = try PostgresCluster(installation, .init(walSegmentMegabytes: 1, configuration: lines))
        try cluster.start()
        try WALWorkload.run(cluster)
        try cluster.stop()
        let directory = cluster.dataDirectory + "/pg_wal"
        let segments = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
            .compactMap { WALSegment(fileName: $0, size: segmentSize) }
        guard let first = segments.first else { throw PostgresTestError("no WAL in \(directory)") }
        let bytes = try segments.flatMap {
            try [UInt8](Data(contentsOf: URL(fileURLWithPath: "\(directory)/\($0.fileName)")))
        }
        return (first.startLSN, bytes)
    }

    /// - Parameter wal: From the beginning of a segment.
    private mutating func take(_ wal: (start: LSN, bytes: [UInt8])) throws {
        var reader = WALRecordReader(startingAt: wal.start, segmentSize: Self.segmentSize, major: major)
        try wal.bytes.withUnsafeBytes { bytes in
            var rest = bytes
            while true {
                // Behind the last record is what is left of older segments.
                let record: WALRecord?
                do { record = try reader.next(&rest) } catch { return }
                guard let record else { return }
                let offset = Int(record.startLSN.rawValue - wal.start.rawValue)
                try take(record, Self.content(bytes, offset, record.length))
                try takeWAL(bytes, offset, record)
            }
        }
    }

    /// A record without the page headers within it.
    private static func content(_ wal: UnsafeRawBufferPointer, _ offset: Int, _ length: Int) -> [UInt8] {
        var (content, position) = ([UInt8](), offset)
        while content.count < length {
            let pageEnd = (position / Page.size + 1) * Page.size
            let part = min(length - content.count, pageEnd - position)
            content += wal[position..<position + part]
            position = pageEnd + (pageEnd % segmentSize == 0 ? WALPageHeader.longSize : WALPageHeader.shortSize)
        }
        return content
    }

    private mutating func take(_ record: WALRecord, _ content: [UInt8]) throws {
        let kind = "\(major)-\(record.manager)-\(String(record.info, radix: 16))"
        try corpus.add("effects", kind: kind, EffectsTarget.seed(major: major, content))
        let target = Fuzz.managers.first { $0.value == record.manager }?.key
        for index in record.blocks.indices {
            let block = record.blocks[index]
            if let image = block.image {
                let hole = image.holeLength > 0 ? "hole" : "whole"
                try corpus.add("image", kind: "\(image.compression)-\(hole)", ImageTarget.seed(image))
            }
            let page = pages[block.page] ?? .allocate(byteCount: Page.size, alignment: 8)
            if pages[block.page] == nil { page.initializeMemory(as: UInt8.self, repeating: 0, count: Page.size) }
            pages[block.page] = page
            // What a page was that is not known helps nobody.
            if let target, block.initializes || block.image?.applies == true || !Page(page).isNew {
                let own = kind + "-\(block.id)" + (block.image == nil ? "" : "i")
                let before = UnsafeRawBufferPointer(start: page, count: Page.size)
                try corpus.add(target, kind: own, RedoTarget.seed(major: major, content, before))
            }
            _ = try? redo.apply(record, index, to: RedoPage(page))
        }
        try index(record)
    }

    private static let indexedTogether = 400

    /// Indexes of a few records each.
    private mutating func index(_ record: WALRecord) throws {
        let segment = WALSegment(timeline: 1, holding: record.startLSN, size: Self.segmentSize)
        let isOver = builder.segment != segment
        if isOver || indexedRecords == Self.indexedTogether {
            let index = builder.finish(end: isOver ? builder.segment.endLSN : record.startLSN)
            try corpus.add("index", kind: "\(major)", IndexTarget.seed(index.bytes))
            builder.begin(segment)
            indexedRecords = 0
        }
        try builder.add(record)
        indexedRecords += 1
    }

    private static let takenTogether = 2 * Page.size

    /// WAL from a record on, and from the beginning of its page.
    private mutating func takeWAL(_ wal: UnsafeRawBufferPointer, _ offset: Int, _ record: WALRecord) throws {
        let pageOffset = offset / Page.size * Page.size
        let pageStart = LSN(rawValue: record.startLSN.rawValue - UInt64(offset - pageOffset))
        try corpus.add(
            "decoder", kind: "\(major)-record-\(record.manager)",
            DecoderTarget.seed(
                major: major, wal[offset...].prefix(Self.takenTogether), start: record.startLSN, pieceSize: 1000))
        try corpus.add(
            "decoder", kind: "\(major)-page",
            DecoderTarget.seed(
                major: major, wal[pageOffset...].prefix(Self.takenTogether), start: pageStart, pieceSize: 8192))
    }
}
