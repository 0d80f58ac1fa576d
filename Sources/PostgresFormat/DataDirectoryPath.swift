/// What a file of a data directory is, told from its path alone.
public enum DataDirectoryPath: Hashable, Sendable {
    case relation(RelationFork, segment: Int)
    /// Of a session that is over when the server is: never carried.
    case temporaryRelation
    case slru(SLRUKind, segment: Int)
    /// `pg_filenode.map`, of one database or of the shared relations.
    case relationMap
    /// `global/pg_control`.
    case controlFile
    case other

    /// - Parameter path: Relative to the data directory, parts separated by single slashes.
    public static func classify(_ path: String) -> DataDirectoryPath {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        switch parts.count {
        case 2 where parts[0] == "global":
            if parts[1] == "pg_control" { return .controlFile }
            return relationFile(parts[1], tablespace: TablespaceOID.global, database: 0)
        case 3 where parts[0] == "base":
            guard let database = number(parts[1]) else { break }
            return relationFile(parts[2], tablespace: TablespaceOID.default, database: database)
        case 5 where parts[0] == "pg_tblspc":
            guard let tablespace = number(parts[1]), isVersionDirectory(parts[2]), let database = number(parts[3]),
                tablespace != TablespaceOID.default, tablespace != TablespaceOID.global
            else { break }
            return relationFile(parts[4], tablespace: tablespace, database: database)
        default: break
        }
        if let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")),
            let kind = SLRUKind(directory: path[..<slash]),
            let segment = SLRUSegment(kind: kind, fileName: path[path.utf8.index(after: slash)...])
        {
            return .slru(kind, segment: segment.number)
        }
        return .other
    }

    private static func relationFile(_ name: Substring, tablespace: UInt32, database: UInt32) -> DataDirectoryPath {
        if name == "pg_filenode.map" { return .relationMap }
        guard let file = RelationFileName(name) else { return .other }
        guard file.temporaryBackend == nil else { return database == 0 ? .other : .temporaryRelation }
        let key = RelationFork(tablespace: tablespace, database: database, relation: file.relation, fork: file.fork)
        return .relation(key, segment: file.segment)
    }

    private static func number(_ text: Substring) -> UInt32? {
        parseDecimal(text.utf8, as: UInt32.self).flatMap { $0 == 0 ? nil : $0 }
    }

    private static func isVersionDirectory(_ text: Substring) -> Bool {
        let parts = text.split(separator: "_", omittingEmptySubsequences: false)
        return parts.count == 3 && parts[0] == "PG" && number(parts[1]) != nil && number(parts[2]) != nil
    }
}
