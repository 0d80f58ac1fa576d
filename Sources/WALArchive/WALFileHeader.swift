import PostgresFormat

/// What the first page of a file says, which may be of another segment than the file's name tells.
struct WALFileHeader {
    let major: Int
    let address: LSN
    let segmentSize: Int

    /// Nil where it is no first page of a segment.
    init?(_ page: [UInt8]) {
        guard page.count >= 40 else { return nil }
        // `XLogLongPageHeaderData`: xlp_magic, xlp_pageaddr and xlp_seg_size.
        let (magic, address, size) = page.withUnsafeBytes {
            (
                UInt16(littleEndian: $0.loadUnaligned(as: UInt16.self)),
                UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
                Int(UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: 32, as: UInt32.self)))
            )
        }
        guard let major = WALPageHeader.magics.first(where: { $0.value == magic })?.key, WALSegment.isValidSize(size)
        else { return nil }
        self.major = major
        self.address = LSN(rawValue: address)
        segmentSize = size
    }
}
