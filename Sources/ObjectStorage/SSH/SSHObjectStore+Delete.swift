import StorageURI

extension SSHObjectStore {
    /// Requests under way at once.
    private static let window = 64

    /// Removes the files, then the directories that this leaves empty, up to the root; the root itself only where
    /// this store made it.
    public func delete(_ keys: [ObjectKey]) async throws(ObjectStoreError) {
        var places: [FileKey] = []
        for key in keys {
            places.append(try await naming("deleting the object", key) { () throws(ServiceFailure) in try place(key) })
        }
        guard !places.isEmpty else { return }
        try await naming("deleting objects", nil) { () async throws(ServiceFailure) in
            let places = places
            try await host.perform { [self] (connection) throws(ServiceFailure) in
                try remove(places.map { path(of: $0) }, connection)
                // The deepest first: each may leave the one above it empty.
                var directories = Set<[String]>()
                for place in places {
                    for count in 0..<place.directories.count {
                        directories.insert(Array(place.directories[...count]))
                    }
                }
                guard try removeEmpty(directories.sorted { $0.count > $1.count }, connection) else { return }
                try madeDirectories.removeAll { (path) throws(ServiceFailure) in try removeDirectory(path, connection) }
            }
        }
    }

    private func remove(_ paths: [String], _ connection: SFTPConnection) throws(ServiceFailure) {
        var pending: [(id: UInt32, path: String)] = []
        var next = paths.startIndex
        while next < paths.endIndex || !pending.isEmpty {
            while next < paths.endIndex, pending.count < Self.window {
                let path = paths[next]
                pending.append((try connection.send(.remove) { $0.put(path) }, path))
                next += 1
            }
            let (id, path) = pending.removeFirst()
            let status = try connection.status(of: id)
            if status.isOK || status.code == .noSuchFile { continue }
            // A directory is no object; and one that is not there is no error.
            if status.code == .failure, try connection.status(path)?.isDirectory ?? true { continue }
            throw try connection.explain(status, path)
        }
    }

    /// Best effort: a directory that stays is nothing that a listing shows.
    ///
    /// - Returns: Whether none of them stays.
    private func removeEmpty(_ directories: [[String]], _ connection: SFTPConnection) throws(ServiceFailure) -> Bool {
        var notEmpty = Set<[String]>()
        for directory in directories where !notEmpty.contains(directory) {
            if try removeDirectory(path(of: directory), connection) { continue }
            for count in directory.indices { notEmpty.insert(Array(directory[..<count])) }
        }
        return notEmpty.isEmpty
    }

    /// - Returns: Whether it is gone: the server removes none that is not empty.
    private func removeDirectory(_ path: String, _ connection: SFTPConnection) throws(ServiceFailure) -> Bool {
        let status = try connection.removeDirectory(path)
        return status.isOK || status.code == .noSuchFile
    }
}
