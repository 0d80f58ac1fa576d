public import PostgresFormat

extension BaseDirectory {
    /// Where WAL has to be replayed from: of a base backup, where that began; else from the last checkpoint.
    ///
    /// - Throws: `FormatError` where there is a `backup_label` that says nothing.
    public func startLSN() throws -> LSN {
        guard let label = try content("backup_label") else { return control.checkpointCopy.redo }
        let prefix = "START WAL LOCATION: "
        let line = String(decoding: label, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix(prefix) }
        guard let text = line?.dropFirst(prefix.count).prefix(while: { $0 != " " }), let lsn = LSN(String(text)) else {
            throw FormatError.invalid("backup_label does not say where the backup began")
        }
        return lsn
    }
}
