import CLibpq

/// A connection for SQL to the server that a replication connection leads to. One thread uses it, and blocks.
public struct QueryConnection: ~Copyable {
    private let raw: OpaquePointer

    /// - Parameter connectionInfo: In either of libpq's forms. Where it names no database, `postgres` is meant.
    public init(_ connectionInfo: String, applicationName: String) throws(ReplicationError) {
        var parameters = [("dbname", connectionInfo), ("fallback_application_name", applicationName)]
        if !Self.namesDatabase(connectionInfo) { parameters.append(("dbname", "postgres")) }
        raw = try connect(parameters)
    }

    deinit { PQfinish(raw) }

    /// A service file may name one as well; it is libpq's to read.
    private static func namesDatabase(_ connectionInfo: String) -> Bool {
        guard let options = PQconninfoParse(connectionInfo, nil) else { return false }
        defer { PQconninfoFree(options) }
        var option = options
        while let keyword = option.pointee.keyword {
            if ["dbname", "service"].contains(String(cString: keyword)), option.pointee.val != nil { return true }
            option += 1
        }
        return false
    }

    /// The rows of a query; nil for NULL.
    public func rows(_ query: String) throws(ReplicationError) -> [[String?]] {
        let result = try perform(query, on: raw, expecting: PGRES_TUPLES_OK)
        defer { PQclear(result) }
        return texts(of: result)
    }
}
