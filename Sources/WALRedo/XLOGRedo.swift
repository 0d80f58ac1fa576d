import PostgresFormat

/// What records of the resource manager XLOG say; the images that some carry are restored as all are.
///
/// Source: PostgreSQL's `src/backend/access/transam/xlog.c`, `xlog_redo`, and `src/include/catalog/pg_control.h`.
struct XLOGRedo {
    let record: WALRecord
    let major: Int

    private enum Operation {
        static let shutdownCheckpoint: UInt8 = 0x00
        static let onlineCheckpoint: UInt8 = 0x10
        static let nothing: UInt8 = 0x20
        static let nextOID: UInt8 = 0x30
        static let segmentSwitch: UInt8 = 0x40
        static let backupEnd: UInt8 = 0x50
        static let parameterChange: UInt8 = 0x60
        static let restorePoint: UInt8 = 0x70
        static let fullPageWritesChange: UInt8 = 0x80
        static let endOfRecovery: UInt8 = 0x90
        static let hintImage: UInt8 = 0xA0
        static let image: UInt8 = 0xB0
        static let overwrittenRecord: UInt8 = 0xD0
        static let checkpointRedo: UInt8 = 0xE0
    }

    func append(to effects: inout [RecordEffect]) throws(RedoFault) {
        let main = RecordData(record.mainData)
        switch record.operation {
        case Operation.shutdownCheckpoint, Operation.onlineCheckpoint: effects.append(try checkpoint())
        case Operation.nextOID: effects.append(.nextOID(try main.load(0, UInt32.self)))
        case Operation.backupEnd: effects.append(.backupEnded(startLSN: LSN(rawValue: try main.load(0, UInt64.self))))
        case Operation.parameterChange: effects.append(try parameterChange(main))
        case Operation.restorePoint: effects.append(try restorePoint(main))
        case Operation.fullPageWritesChange: effects.append(.fullPageWritesChanged(try main.load(0, UInt8.self) != 0))
        case Operation.endOfRecovery:
            effects.append(
                .recoveryEnded(timeline: try main.load(8, UInt32.self), previous: try main.load(12, UInt32.self)))
        case Operation.overwrittenRecord:
            effects.append(.recordAborted(LSN(rawValue: try main.load(0, UInt64.self))))
        case Operation.nothing, Operation.segmentSwitch, Operation.hintImage, Operation.image: break
        case Operation.checkpointRedo where major >= 17: break
        default: throw unknownOperation(record)
        }
    }

    private func checkpoint() throws(RedoFault) -> RecordEffect {
        do {
            let copy = try CheckpointCopy(parsing: record.mainData, major: major)
            return .checkpoint(copy, isShutdown: record.operation == Operation.shutdownCheckpoint)
        } catch { throw RedoFault("its checkpoint: \(error)") }
    }

    private func parameterChange(_ main: RecordData) throws(RedoFault) -> RecordEffect {
        .parametersChanged(
            WALParameters(
                maxConnections: try main.load(0, Int32.self), maxWorkerProcesses: try main.load(4, Int32.self),
                maxWALSenders: try main.load(8, Int32.self), maxPreparedTransactions: try main.load(12, Int32.self),
                maxLocksPerTransaction: try main.load(16, Int32.self), walLevel: try main.load(20, Int32.self),
                logsHints: try main.load(24, UInt8.self) != 0,
                tracksCommitTimestamps: try main.load(25, UInt8.self) != 0))
    }

    private func restorePoint(_ main: RecordData) throws(RedoFault) -> RecordEffect {
        var name = main
        _ = try name.read(8)
        return .restorePoint(
            UnsafeRawBufferPointer(rebasing: name.rest[..<(name.rest.firstIndex(of: 0) ?? name.count)]))
    }
}
