import Foundation
import PostgresFormat

/// The control file's values under the labels of `pg_controldata`.
func controlDataLines(_ control: ControlFile) -> [String: String] {
    let copy = control.checkpointCopy
    func onOff(_ value: Bool) -> String { value ? "on" : "off" }
    var lines = [
        "pg_control version number": "\(control.controlVersion)",
        "Catalog version number": "\(control.catalogVersion)",
        "Database system identifier": "\(control.systemIdentifier)",
        "Database cluster state": "\(control.state)",
        "pg_control last modified": time(control.modificationTime),
        "Latest checkpoint location": "\(control.checkpoint)",
        "Latest checkpoint's REDO location": "\(copy.redo)",
        "Latest checkpoint's REDO WAL file":
            WALSegment(timeline: copy.thisTimeLineID, holding: copy.redo, size: control.walSegmentSize).fileName,
        "Latest checkpoint's TimeLineID": "\(copy.thisTimeLineID)",
        "Latest checkpoint's PrevTimeLineID": "\(copy.prevTimeLineID)",
        "Latest checkpoint's full_page_writes": onOff(copy.fullPageWrites),
        "Latest checkpoint's NextXID": "\(copy.nextXid >> 32):\(copy.nextXid & 0xFFFF_FFFF)",
        "Latest checkpoint's NextOID": "\(copy.nextOid)",
        "Latest checkpoint's NextMultiXactId": "\(copy.nextMulti)",
        "Latest checkpoint's NextMultiOffset": "\(copy.nextMultiOffset)",
        "Latest checkpoint's oldestXID": "\(copy.oldestXid)",
        "Latest checkpoint's oldestXID's DB": "\(copy.oldestXidDB)",
        "Latest checkpoint's oldestActiveXID": "\(copy.oldestActiveXid)",
        "Latest checkpoint's oldestMultiXid": "\(copy.oldestMulti)",
        "Latest checkpoint's oldestMulti's DB": "\(copy.oldestMultiDB)",
        "Latest checkpoint's oldestCommitTsXid": "\(copy.oldestCommitTsXid)",
        "Latest checkpoint's newestCommitTsXid": "\(copy.newestCommitTsXid)",
        "Time of latest checkpoint": time(copy.time),
        "Fake LSN counter for unlogged rels": "\(control.unloggedLSN)",
        "Minimum recovery ending location": "\(control.minRecoveryPoint)",
        "Min recovery ending loc's timeline": "\(control.minRecoveryPointTimeLineID)",
        "Backup start location": "\(control.backupStartPoint)",
        "Backup end location": "\(control.backupEndPoint)",
        "End-of-backup record required": control.backupEndRequired ? "yes" : "no",
        "wal_level setting": "\(control.walLevel)",
        "wal_log_hints setting": onOff(control.walLogHints),
        "max_connections setting": "\(control.maxConnections)",
        "max_worker_processes setting": "\(control.maxWorkerProcesses)",
        "max_wal_senders setting": "\(control.maxWALSenders)",
        "max_prepared_xacts setting": "\(control.maxPreparedTransactions)",
        "max_locks_per_xact setting": "\(control.maxLocksPerTransaction)",
        "track_commit_timestamp setting": onOff(control.trackCommitTimestamp),
        "Maximum data alignment": "\(control.maxAlign)",
        "Database block size": "\(control.blockSize)",
        "Blocks per segment of large relation": "\(control.segmentBlocks)",
        "WAL block size": "\(control.walBlockSize)",
        "Bytes per WAL segment": "\(control.walSegmentSize)",
        "Maximum length of identifiers": "\(control.nameDataLength)",
        "Maximum columns in an index": "\(control.indexMaxKeys)",
        "Maximum size of a TOAST chunk": "\(control.toastMaxChunkSize)",
        "Size of a large-object chunk": "\(control.largeObjectBlockSize)",
        "Date/time type storage": "64-bit integers",
        "Float8 argument passing": control.float8ByValue ? "by value" : "by reference",
        "Data page checksum version": "\(control.dataChecksumVersion)",
        "Mock authentication nonce": control.mockAuthenticationNonce.map { String(format: "%02x", $0) }.joined(),
    ]
    if let isSigned = control.defaultCharIsSigned {
        lines["Default char data signedness"] = isSigned ? "signed" : "unsigned"
    }
    return lines
}

/// As `strftime` gives `%c` in the C locale.
private func time(_ seconds: Int64) -> String {
    var (moment, fields) = (time_t(seconds), tm())
    gmtime_r(&moment, &fields)
    var buffer = [CChar](repeating: 0, count: 64)
    let count = strftime(&buffer, buffer.count, "%a %b %e %H:%M:%S %Y", &fields)
    return String(decoding: buffer[0..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
}
