// What a scan does where a page or a record begins or ends.

extension WALRecordScanner {
    // MARK: - Pages

    private static let continuesRecord: UInt16 = 0x0001
    private static let hasLongHeader: UInt16 = 0x0002
    /// `XLP_FIRST_IS_OVERWRITE_CONTRECORD`: the record that was to go on here was given up.
    private static let givesRecordUp: UInt16 = 0x0008
    private static let allFlags: UInt16 = 0x000F

    static func areFlags(_ flags: UInt16, ofLongHeader isLong: Bool) -> Bool {
        flags & ~allFlags == 0 && (flags & hasLongHeader != 0) == isLong
    }

    mutating func beginPage() throws(FormatError) {
        let isLong = pageHeader.count == Self.longPageHeaderSize
        let address = LSN(rawValue: position.rawValue - UInt64(pageHeader.count))
        let magic = pageHeader.load(0, as: UInt16.self)
        let flags = pageHeader.load(2, as: UInt16.self)
        let stored = LSN(rawValue: pageHeader.load(8, as: UInt64.self))
        let continued = Int(pageHeader.load(16, as: UInt32.self))
        guard WALPageHeader.magics.values.contains(magic) else {
            throw .invalid("the WAL page at \(address) begins with \(hexadecimal(magic, digits: 4))")
        }
        guard stored == address else { throw .invalid("the WAL page at \(address) says that it is at \(stored)") }
        guard Self.areFlags(flags, ofLongHeader: isLong) else {
            throw .invalid("the WAL page at \(address) has flags \(hexadecimal(flags, digits: 4))")
        }
        let newTimeline = pageHeader.load(4, as: UInt32.self)
        guard newTimeline >= timeline, newTimeline > 0 else {
            throw .invalid("the WAL page at \(address) is of timeline \(newTimeline), those before of \(timeline)")
        }
        timeline = newTimeline
        if isLong {
            let identifier = pageHeader.load(24, as: UInt64.self)
            let size = pageHeader.load(32, as: UInt32.self)
            let blockSize = pageHeader.load(36, as: UInt32.self)
            guard size == segmentSize, blockSize == Page.size else {
                throw .invalid("the WAL segment at \(address) has \(size) bytes in blocks of \(blockSize)")
            }
            if let known = systemIdentifier, known != identifier {
                throw .invalid("the WAL at \(address) is of system \(identifier), that before of \(known)")
            }
            systemIdentifier = identifier
        }
        lastPage = address
        pageHeader.clear()
        try continueRecord(at: address, flags, continued)
    }

    private mutating func continueRecord(at address: LSN, _ flags: UInt16, _ continued: Int) throws(FormatError) {
        let isContinued = flags & Self.continuesRecord != 0
        let isFirst = previousStart == nil && recordStart == .invalid && place == .recordHeader
        let isWhole = place == .recordHeader && recordHeader.count == 0
        if isFirst, isContinued {
            guard continued > 0 else { throw .invalid("the WAL page at \(address) goes on with 0 bytes of a record") }
            place = .unknownRecord
            remaining = continued
        } else if !isWhole, flags & Self.givesRecordUp != 0 {
            recordHeader.clear()
            remaining = 0
            place = .recordHeader
        } else if isWhole {
            guard !isContinued else {
                throw .invalid("the WAL page at \(address) goes on with a record, and none was begun")
            }
        } else {
            guard isContinued, continued == unseenBytes else {
                throw .invalid("the WAL record at \(recordStart) does not go on at \(address)")
            }
        }
    }

    /// Of the record in progress.
    private var unseenBytes: Int {
        place == .recordHeader ? Int(recordHeader.load(0, as: UInt32.self)) - recordHeader.count : remaining
    }

    // MARK: - Records

    /// PostgreSQL's `XLogRecordMaxSize` is 1,020 MiB.
    private static let longestRecord: UInt32 = 1 << 30
    private static let switchInfo: UInt8 = 0x40
    private static let lastBuiltInManager: UInt8 = 22
    private static let firstCustomManager: UInt8 = 128

    /// A record's length comes first, and never crosses a page's end.
    func checkLength() throws(FormatError) {
        guard recordHeader.count >= 4 else { return }
        let length = recordHeader.load(0, as: UInt32.self)
        guard length >= Self.recordHeaderSize, length <= Self.longestRecord else {
            throw .invalid(
                length == 0
                    ? "no WAL record begins at \(recordStart)" : "the WAL record at \(recordStart) has \(length) bytes")
        }
    }

    mutating func beginRecord() throws(FormatError) {
        let previous = LSN(rawValue: recordHeader.load(8, as: UInt64.self))
        let info = recordHeader.load(16, as: UInt8.self)
        let manager = recordHeader.load(17, as: UInt8.self)
        if let expected = previousStart {
            guard previous == expected else {
                throw .invalid("the WAL record at \(recordStart) follows one at \(previous), not that at \(expected)")
            }
        } else if previous >= recordStart {
            throw .invalid("the WAL record at \(recordStart) follows one at \(previous)")
        }
        guard manager <= Self.lastBuiltInManager || manager >= Self.firstCustomManager else {
            throw .invalid("the WAL record at \(recordStart) is of resource manager \(manager)")
        }
        storedCRC = recordHeader.load(WALRecordHeader.crcOffset, as: UInt32.self)
        isSwitch = manager == 0 && info & 0xF0 == Self.switchInfo
        remaining = Int(recordHeader.load(0, as: UInt32.self)) - Self.recordHeaderSize
        crc = 0
        place = .recordData
        if remaining == 0 { try endData() }
    }

    mutating func endData() throws(FormatError) {
        if place == .recordData, checksCRC {
            let computed = recordHeader.crc32c(crc, WALRecordHeader.crcOffset)
            guard computed == storedCRC else {
                throw .badCRC(what: "the WAL record at \(recordStart)", stored: storedCRC, computed: computed)
            }
        }
        if place == .recordData { previousStart = recordStart } else { isSwitch = false }
        recordHeader.clear()
        if position.rawValue & 7 == 0 { endRecord() } else { place = .padding }
    }

    mutating func endRecord() {
        lastRecordEnd = position
        place = isSwitch && segmentOffset != 0 ? .unusedSegment : .recordHeader
        isSwitch = false
    }
}
