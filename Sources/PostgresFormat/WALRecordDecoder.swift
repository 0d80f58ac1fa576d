/// Takes whole records apart. One block reference after the other is kept in the same place: what one record gave is
/// gone when the next one is decoded.
///
/// Source: PostgreSQL's `src/backend/access/transam/xlogreader.c`, `DecodeXLogRecord`, for what is checked, and
/// `src/include/access/xlogrecord.h` for the layout.
public struct WALRecordDecoder: ~Copyable {
    /// `XLR_MAX_BLOCK_ID` and one.
    private static let mostBlocks = 33
    private let blocks = UnsafeMutablePointer<WALBlockReference>.allocate(capacity: WALRecordDecoder.mostBlocks)
    private let major: Int

    /// - Parameter major: 14 to 18: images are marked differently in 14.
    public init(major: Int) { self.major = major }

    deinit { blocks.deallocate() }  // what is in there is trivial

    enum ID {
        static let shortData: UInt8 = 255
        static let longData: UInt8 = 254
        static let origin: UInt8 = 253
        static let topLevelXid: UInt8 = 252
    }

    /// What is yet to come of the headers, and how much they have announced.
    private struct Headers {
        var rest: UnsafeRawBufferPointer
        var announced = 0

        @inline(__always)
        mutating func read<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type) throws(FormatError) -> T {
            guard rest.count >= MemoryLayout<T>.size else { throw .invalid("its headers go on behind its end") }
            let value = T(littleEndian: rest.loadUnaligned(as: T.self))
            rest = UnsafeRawBufferPointer(rebasing: rest[MemoryLayout<T>.size...])
            return value
        }
    }

    /// - Parameters:
    ///   - bytes: All of the record, without the headers of the pages that it lies on.
    ///   - start: Where it begins.
    ///   - end: Where WAL goes on after it.
    /// - Throws: What is wrong with it; the CRC is not looked at.
    public mutating func decode(_ bytes: UnsafeRawBufferPointer, start: LSN, end: LSN) throws(FormatError) -> WALRecord
    {
        do { return try decodeUnnamed(bytes, start, end) } catch {
            throw .invalid("the WAL record at \(start) is damaged: \(error)")
        }
    }

    private mutating func decodeUnnamed(
        _ bytes: UnsafeRawBufferPointer, _ start: LSN, _ end: LSN
    ) throws(FormatError) -> WALRecord {
        guard bytes.count >= WALRecordHeader.size, Int(load(bytes, 0, UInt32.self)) == bytes.count else {
            throw .invalid("it does not have the length that it says")
        }
        var headers = Headers(rest: UnsafeRawBufferPointer(rebasing: bytes[WALRecordHeader.size...]))
        var count = 0
        var (mainLength, origin, topLevelXid): (Int, UInt16?, UInt32?) = (0, nil, nil)
        // Lengths of the payloads, which come when all headers are over.
        while headers.rest.count > headers.announced {
            let id = try headers.read(UInt8.self)
            switch id {
            case ID.shortData, ID.longData:
                mainLength = id == ID.shortData ? Int(try headers.read(UInt8.self)) : Int(try headers.read(UInt32.self))
                headers.announced += mainLength
                guard headers.rest.count == headers.announced else {
                    throw .invalid("it announces \(headers.announced) bytes of data, and has \(headers.rest.count)")
                }
            case ID.origin: origin = try headers.read(UInt16.self)
            case ID.topLevelXid: topLevelXid = try headers.read(UInt32.self)
            case ..<UInt8(Self.mostBlocks):
                guard count < Self.mostBlocks, count == 0 || blocks[count - 1].id < id else {
                    throw .invalid("its block reference \(id) is out of order")
                }
                (blocks + count).initialize(to: try blockHeader(id, count, &headers))
                count += 1
            default: throw .invalid("a header in it is of kind \(id)")
            }
        }
        guard headers.rest.count == headers.announced else {
            throw .invalid("it announces \(headers.announced) bytes of data, and has \(headers.rest.count)")
        }
        let main = giveData(count, headers.rest)
        return WALRecord(
            startLSN: start, endLSN: end, previousLSN: LSN(rawValue: load(bytes, 8, UInt64.self)),
            xid: load(bytes, 4, UInt32.self), manager: ResourceManager(rawValue: bytes[17]), info: bytes[16],
            length: bytes.count, origin: origin, topLevelXid: topLevelXid,
            blocks: UnsafeBufferPointer(start: blocks, count: count),
            mainData: UnsafeRawBufferPointer(rebasing: main.prefix(mainLength)))
    }

    /// Hands the payload to the references, in their order; what is left is the main data.
    private func giveData(_ count: Int, _ payload: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        // The headers have announced no more than there is.
        var rest = payload
        func take(_ length: Int) -> UnsafeRawBufferPointer {
            defer { rest = UnsafeRawBufferPointer(rebasing: rest[length...]) }
            return UnsafeRawBufferPointer(rebasing: rest[..<length])
        }
        for index in 0..<count {
            let header = blocks[index]
            let image = header.image.map { image in
                WALPageImage(
                    bytes: take(image.bytes.count), holeOffset: image.holeOffset, holeLength: image.holeLength,
                    compression: image.compression, applies: image.applies)
            }
            blocks[index] = WALBlockReference(
                id: header.id, fork: header.fork, relation: header.relation, block: header.block,
                initializes: header.initializes, image: image, data: take(header.data.count))
        }
        return rest
    }

    private enum BlockFlag {
        static let fork: UInt8 = 0x0F
        static let hasImage: UInt8 = 0x10
        static let hasData: UInt8 = 0x20
        static let initializes: UInt8 = 0x40
        static let sameRelation: UInt8 = 0x80
    }

    /// A reference whose data and image have their lengths already, and nothing else.
    private func blockHeader(_ id: UInt8, _ count: Int, _ headers: inout Headers) throws(FormatError)
        -> WALBlockReference
    {
        let flags = try headers.read(UInt8.self)
        let dataLength = Int(try headers.read(UInt16.self))
        guard (flags & BlockFlag.hasData != 0) == (dataLength > 0) else {
            throw .invalid("its block reference \(id) has \(dataLength) bytes of data and the wrong flag")
        }
        guard let fork = ForkKind(rawValue: flags & BlockFlag.fork) else {
            throw .invalid("its block reference \(id) is of fork \(flags & BlockFlag.fork)")
        }
        headers.announced += dataLength
        let image = flags & BlockFlag.hasImage != 0 ? try imageHeader(id, &headers) : nil
        let relation: RelationLocator
        if flags & BlockFlag.sameRelation == 0 {
            let tablespace = try headers.read(UInt32.self)
            let database = try headers.read(UInt32.self)
            relation = RelationLocator(
                tablespace: tablespace, database: database, relation: try headers.read(UInt32.self))
        } else {
            guard count > 0 else { throw .invalid("its first block reference has no relation") }
            relation = blocks[count - 1].relation
        }
        return WALBlockReference(
            id: id, fork: fork, relation: relation, block: try headers.read(UInt32.self),
            initializes: flags & BlockFlag.initializes != 0, image: image, data: Self.length(dataLength))
    }

    private static func length(_ count: Int) -> UnsafeRawBufferPointer {
        // Only its count is looked at before it is replaced.
        UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: 8), count: count)
    }

    private enum ImageFlag {
        static let hasHole: UInt8 = 0x01
        // Of 15 and later.
        static let applies: UInt8 = 0x02
        static let pglz: UInt8 = 0x04
        static let lz4: UInt8 = 0x08
        static let zstd: UInt8 = 0x10
        // Of 14.
        static let pglz14: UInt8 = 0x02
        static let applies14: UInt8 = 0x04
    }

    private func imageHeader(_ id: UInt8, _ headers: inout Headers) throws(FormatError) -> WALPageImage {
        let length = Int(try headers.read(UInt16.self))
        let holeOffset = Int(try headers.read(UInt16.self))
        let info = try headers.read(UInt8.self)
        let compression: WALPageImage.Compression
        let applies: Bool
        if major <= 14 {
            compression = info & ImageFlag.pglz14 != 0 ? .pglz : .none
            applies = info & ImageFlag.applies14 != 0
        } else {
            switch info & (ImageFlag.pglz | ImageFlag.lz4 | ImageFlag.zstd) {
            case 0: compression = .none
            case ImageFlag.pglz: compression = .pglz
            case ImageFlag.lz4: compression = .lz4
            case ImageFlag.zstd: compression = .zstd
            default: throw .invalid("the image of its block reference \(id) is compressed in two ways")
            }
            applies = info & ImageFlag.applies != 0
        }
        let hasHole = info & ImageFlag.hasHole != 0
        var holeLength = 0
        if hasHole {
            holeLength = compression == .none ? Page.size - length : Int(try headers.read(UInt16.self))
        }
        let isRight =
            hasHole
            ? holeOffset > 0 && holeLength > 0 && holeOffset + holeLength <= Page.size && length < Page.size
            : holeOffset == 0 && (compression == .none ? length == Page.size : length < Page.size)
        guard isRight else {
            throw .invalid(
                "the image of its block reference \(id) has \(length) bytes and a hole of \(holeLength) at \(holeOffset)"
            )
        }
        headers.announced += length
        return WALPageImage(
            bytes: Self.length(length), holeOffset: holeOffset, holeLength: holeLength, compression: compression,
            applies: applies)
    }

    @inline(__always)
    private func load<T: FixedWidthInteger & BitwiseCopyable>(
        _ bytes: UnsafeRawBufferPointer, _ offset: Int, _: T.Type
    ) -> T {
        T(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
    }
}
