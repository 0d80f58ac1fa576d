public import PostgresFormat
import WALRedo

extension ControlValues {
    /// Numbers that are given out, and their limits.
    private static var numbers: [(name: String, path: KeyPath<CheckpointCopy, UInt32>)] {
        [
            ("nextOid", \.nextOid), ("nextMulti", \.nextMulti), ("nextMultiOffset", \.nextMultiOffset),
            ("oldestXid", \.oldestXid), ("oldestXidDB", \.oldestXidDB), ("oldestMulti", \.oldestMulti),
            ("oldestMultiDB", \.oldestMultiDB), ("oldestCommitTsXid", \.oldestCommitTsXid),
            ("newestCommitTsXid", \.newestCommitTsXid),
        ]
    }

    private static var settings: [(name: String, path: KeyPath<WALParameters, Int32>)] {
        [
            ("max_connections", \.maxConnections), ("max_worker_processes", \.maxWorkerProcesses),
            ("max_wal_senders", \.maxWALSenders), ("max_prepared_xacts", \.maxPreparedTransactions),
            ("max_locks_per_xact", \.maxLocksPerTransaction), ("wal_level", \.walLevel),
        ]
    }

    /// What the control file that PostgreSQL's own recovery of the same WAL has left says otherwise.
    ///
    /// A server that was shut down in recovery has told the last checkpoint and settings; one that was promoted, and
    /// shut down before it did anything, what it would have given out next.
    ///
    /// - Returns: How many fields were compared, and which ones differ.
    public func differences(from control: ControlFile) -> (compared: Int, differences: [String]) {
        var comparison = FieldComparison()
        switch control.state {
        case .shutDownInRecovery: compareRecovery(control, &comparison)
        case .shutDown: compareNumbers(next, control.checkpointCopy, &comparison)
        default: comparison.found.append("it was not shut down: it is \(control.state)")
        }
        return (comparison.compared, comparison.found)
    }

    private func compareRecovery(_ control: ControlFile, _ comparison: inout FieldComparison) {
        comparison.compare("checkPoint", checkpoint, control.checkpoint)
        let (here, there) = (checkpointCopy, control.checkpointCopy)
        comparison.compare("redo", here.redo, there.redo)
        comparison.compare("ThisTimeLineID", here.thisTimeLineID, there.thisTimeLineID)
        comparison.compare("PrevTimeLineID", here.prevTimeLineID, there.prevTimeLineID)
        comparison.compare("fullPageWrites", here.fullPageWrites, there.fullPageWrites)
        comparison.compare("wal_level of the checkpoint", here.walLevel, there.walLevel)
        comparison.compare("time", here.time, there.time)
        comparison.compare("oldestActiveXid", here.oldestActiveXid, there.oldestActiveXid)
        compareNumbers(here, there, &comparison)
        comparison.compare("minRecoveryPointTLI", timeline, control.minRecoveryPointTimeLineID)
        // Pages that are written move it to where recovery is then.
        comparison.compared += 1
        if control.minRecoveryPoint > end || control.minRecoveryPoint < checkpoint {
            comparison.found.append("minRecoveryPoint is \(control.minRecoveryPoint) and not \(end)")
        }
        let theirs = WALParameters(control)
        for (name, path) in Self.settings { comparison.compare(name, parameters[keyPath: path], theirs[keyPath: path]) }
        comparison.compare("wal_log_hints", parameters.logsHints, theirs.logsHints)
        comparison.compare("track_commit_timestamp", parameters.tracksCommitTimestamps, theirs.tracksCommitTimestamps)
    }

    private func compareNumbers(_ here: CheckpointCopy, _ there: CheckpointCopy, _ comparison: inout FieldComparison) {
        comparison.compare("nextXid", here.nextXid, there.nextXid)
        for (name, path) in Self.numbers { comparison.compare(name, here[keyPath: path], there[keyPath: path]) }
    }
}

/// Counts fields, and names those that differ.
private struct FieldComparison {
    var compared = 0
    var found: [String] = []

    mutating func compare<Value: Equatable>(_ name: String, _ here: Value, _ there: Value) {
        compared += 1
        if here != there { found.append("\(name) is \(there), and \(here) here") }
    }
}
