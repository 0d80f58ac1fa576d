import PostgresFormat

/// Proves that bytes are the file that their name promises: looks at the first page, and at the length.
struct WALContentCheck {
    private let name: WALFileName
    private let systemIdentifier: UInt64?
    private var firstPage: [UInt8] = []
    private var sizeBytes = 0

    /// The largest history or backup file that is believed: PostgreSQL's have a line a TLI.
    private static let largestSmallFile = 16 << 20
    /// `XLogLongPageHeaderData`'s.
    private static let headerBytes = 40

    /// - Parameter systemIdentifier: The cluster's, where it is known.
    init(_ name: WALFileName, systemIdentifier: UInt64?) {
        self.name = name
        self.systemIdentifier = systemIdentifier
    }

    private var hasPages: Bool {
        switch name.kind {
        case .segment, .partial, .unfinished: true
        case .history, .backup: false
        }
    }

    /// Takes more of the content, in order. Throws as soon as there is too much of it.
    mutating func take(_ bytes: UnsafeRawBufferPointer) throws(WALArchiveError) {
        if hasPages, firstPage.count < Page.size {
            firstPage += bytes.prefix(Page.size - firstPage.count)
        }
        try skip(bytes.count)
    }

    /// Counts content that is not looked at.
    mutating func skip(_ count: Int) throws(WALArchiveError) {
        sizeBytes += count
        let limit = hasPages ? 1 << 30 : Self.largestSmallFile
        guard sizeBytes <= limit else { throw .damaged("it has more than \(limit) bytes") }
    }

    /// Decides when all has been taken.
    func finish() throws(WALArchiveError) {
        if hasPages { try checkPages() } else if sizeBytes == 0 { throw .damaged("it is empty") }
    }

    private func checkPages() throws(WALArchiveError) {
        // What is being written may end in its first page.
        var leastBytes = Page.size
        if case .unfinished = name.kind { leastBytes = Self.headerBytes }
        guard firstPage.count >= leastBytes else { throw .damaged("it has \(sizeBytes) bytes, less than a page") }
        let (magic, segmentSize) = firstPage.withUnsafeBytes {
            (
                UInt16(littleEndian: $0.loadUnaligned(as: UInt16.self)),
                // xlp_seg_size of XLogLongPageHeaderData
                Int(UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: 32, as: UInt32.self)))
            )
        }
        guard let major = WALPageHeader.magics.first(where: { $0.value == magic })?.key else {
            throw .damaged("it does not begin with a WAL page of a known PostgreSQL version")
        }
        guard WALSegment.isValidSize(segmentSize), let segment = name.segment(size: segmentSize) else {
            throw .damaged("its header tells a segment size of \(segmentSize) bytes, which gives no such name")
        }
        let isRight =
            switch name.kind {
            case .segment: sizeBytes == segmentSize
            case .unfinished(let end):
                sizeBytes < segmentSize && end.rawValue == segment.startLSN.rawValue + UInt64(sizeBytes)
            case .partial, .history, .backup: sizeBytes <= segmentSize
            }
        guard isRight else {
            throw .damaged("it has \(sizeBytes) bytes, and its header tells of segments of \(segmentSize)")
        }
        let header: WALPageHeader
        do {
            header = try WALPageHeader(
                parsing: firstPage + [UInt8](repeating: 0, count: Page.size - firstPage.count),
                at: segment.startLSN, segmentSize: segmentSize, major: major)
        } catch { throw .damaged(error.description) }
        // A TLI's first segment begins with a copy of the one it branched off from, so it may name an earlier one.
        guard header.timeline >= 1, header.timeline <= segment.timeline else {
            throw .damaged("its first page is of TLI \(header.timeline), later than its name tells")
        }
        if let systemIdentifier, let found = header.segment?.systemIdentifier, found != systemIdentifier {
            throw .damaged(
                "it is of the cluster with system identifier \(found), and the archive is that of \(systemIdentifier)")
        }
    }
}
