import StorageURI

extension SSHObjectStore {
    public func head(_ key: ObjectKey) async throws(ObjectStoreError) -> ObjectInfo {
        try await naming("looking up the object", key) { () async throws(ServiceFailure) in
            let path = path(of: try self.place(key))
            let size = try await host.perform { (connection) throws(ServiceFailure) in
                try Self.size(try connection.status(path), path)
            }
            return ObjectInfo(key: key, sizeBytes: size)
        }
    }

    /// The length of the file that is an object.
    private static func size(_ attributes: SFTPAttributes?, _ path: String) throws(ServiceFailure) -> Int {
        guard let attributes, !attributes.isDirectory else {
            var failure = ServiceFailure(.notFound, "")
            failure.serviceCode = "NoSuchFile"
            throw failure
        }
        guard attributes.isRegularFile, let size = attributes.sizeBytes else {
            throw ServiceFailure(.corrupt, "\(path) is not a regular file")
        }
        return size
    }

    public func get(_ key: ObjectKey, range: Range<Int>?) async throws(ObjectStoreError) -> [UInt8] {
        try await naming("reading the object", key) { () async throws(ServiceFailure) in
            if let range, range.lowerBound < 0 { throw ServiceFailure(.invalid, "a range begins at 0 or behind") }
            return try await read(path(of: try self.place(key)), range)
        }
    }

    /// Reads a file or a range of it: a connection that breaks is resumed where it broke; a file that is replaced
    /// meanwhile is read anew.
    private func read(_ path: String, _ range: Range<Int>?) async throws(ServiceFailure) -> [UInt8] {
        let download = SFTPDownload()
        var retrier = Retrier(policy: host.options.retries)
        while true {
            let before = download.received.count
            do throws(ServiceFailure) {
                return try await host.attempt { (connection) throws(ServiceFailure) in
                    try Self.continue(download, path, range, connection)
                }
            } catch {
                if download.received.count > before { retrier.noteProgress() }
                try await retrier.wait(after: error)
            }
        }
    }

    private static func `continue`(
        _ download: SFTPDownload, _ path: String, _ range: Range<Int>?, _ connection: SFTPConnection
    ) throws(ServiceFailure) -> [UInt8] {
        let handle = try connection.open(path, SFTPNumber.read)
        defer { connection.close(handle) }
        let attributes = try connection.attributes(try connection.send(.fileStatus) { $0.put(handle) }, path)
        let size = try size(attributes, path)
        // A file has no version but its size and time.
        if download.attributes != attributes { download.received = [] }
        download.attributes = attributes
        let wanted = (range ?? 0..<size).clamped(to: 0..<size)
        download.received.reserveCapacity(wanted.count)
        let rest = wanted.lowerBound + download.received.count..<max(wanted.lowerBound, wanted.upperBound)
        try connection.read(handle, rest, path) { download.received.append(contentsOf: $0) }
        guard download.received.count == wanted.count else {
            throw ServiceFailure(.corrupt, "\(path) was cut off while it was read")
        }
        return download.received
    }
}

/// What has arrived of a file, over several connections if need be.
///
/// - Note: `@unchecked`: one try after the other uses it, never two at a time.
private final class SFTPDownload: @unchecked Sendable {
    var received: [UInt8] = []
    var attributes: SFTPAttributes?
}
