import StorageURI
import Synchronization

extension SSHObjectStore {
    @discardableResult
    public func put(_ key: ObjectKey, _ body: ObjectBody, mode: PutMode) async throws(ObjectStoreError) -> ObjectInfo {
        try await naming("writing the object", key) { () async throws(ServiceFailure) in
            let place = try self.place(key)
            let write = SFTPWrite(
                path: path(of: place), directory: path(of: place.directories), root: location.path,
                madeDirectories: madeDirectories, mode: mode)
            var parts = try PartSource(body, partSize: host.options.partSizeBytes)
            if mode == .createOnly {
                // A create-if-absent that fails need not even send.
                try await host.perform { (connection) throws(ServiceFailure) in try write.refuseIfTaken(connection) }
            }
            do throws(ServiceFailure) {
                let first = try await parts.next() ?? .none
                let size: Int
                if parts.isAtEnd || first.count == 0 {
                    size = first.count
                    try await putWhole(write, first)
                } else {
                    size = try await putParts(write, first, &parts)
                }
                return ObjectInfo(key: key, sizeBytes: size)
            } catch {
                let temporaries = write.takeTemporaries()
                if !temporaries.isEmpty {
                    await host.tidyUp { (connection) throws(ServiceFailure) in
                        for path in temporaries { _ = try connection.remove(path) }
                    }
                }
                throw error
            }
        }
    }

    /// Writes an object by one connection.
    private func putWhole(_ write: SFTPWrite, _ body: HTTPBody) async throws(ServiceFailure) {
        do { try await uploads.acquire() } catch { throw .cancelled(error) }
        defer { uploads.release() }
        try await host.perform { [self] (connection) throws(ServiceFailure) in
            if !write.isUploaded {
                let handle = try write.begin(connection)
                do throws(ServiceFailure) { try connection.write(handle, body, at: 0, write.temporary) } catch {
                    connection.close(handle)
                    throw error
                }
                try connection.finish(handle, write.temporary)
                write.isUploaded = true
            }
            try commit(write, connection)
        }
    }

    /// Writes an object in parts, several at a time, each into its place in one file. A part that is sent again writes
    /// the same bytes over the same.
    private func putParts(
        _ write: SFTPWrite, _ first: HTTPBody, _ parts: inout PartSource
    ) async throws(ServiceFailure) -> Int {
        try await host.perform { (connection) throws(ServiceFailure) in connection.close(try write.begin(connection)) }
        let layout = parts.layout
        let sizes = try await sendParts(
            first, &parts, places: uploads, concurrency: host.options.uploadConcurrency
        ) { [host] (body, number) async throws(ServiceFailure) in
            try await host.perform { (connection) throws(ServiceFailure) in
                let handle = try write.reopen(connection)
                do throws(ServiceFailure) {
                    try connection.write(handle, body, at: layout.offset(ofPart: number), write.temporary)
                } catch {
                    connection.close(handle)
                    throw error
                }
                let status = try connection.status(of: try connection.sendClose(handle))
                if !status.isOK { throw try connection.explain(status, write.temporary) }
                return body.count
            }
        }
        let size = sizes.reduce(0, +)
        try await host.perform { [self] (connection) throws(ServiceFailure) in
            if !write.isUploaded {
                let handle = try write.reopen(connection)
                try connection.finish(handle, write.temporary)
                guard try connection.status(write.temporary)?.sizeBytes == size else {
                    throw ServiceFailure(.corrupt, "\(write.temporary) has another length than was written to it")
                }
                write.isUploaded = true
            }
            try commit(write, connection)
        }
        return size
    }

    // MARK: - The name

    /// Gives what was written its name, and removes what earlier tries have left.
    private func commit(_ write: SFTPWrite, _ connection: SFTPConnection) throws(ServiceFailure) {
        if !write.isCommitted {
            switch write.mode {
            case .overwrite: try replace(write, connection)
            case .createOnly: try create(write, connection)
            }
            write.isCommitted = true
        }
        for path in write.temporaries where path != write.temporary || write.temporaryStays {
            _ = try connection.remove(path)
        }
        let now = write.serverTime
        _ = write.takeTemporaries()
        clear(write.directory, now: now, connection)
    }

    private func replace(_ write: SFTPWrite, _ connection: SFTPConnection) throws(ServiceFailure) {
        let hasAskedBefore = write.hasAsked
        write.hasAsked = true
        var status: SFTPStatus
        if connection.offers(.posixRename) {
            status = try connection.rename(write.temporary, replacing: write.path)
            if status.code == .unsupported { status = try connection.rename(write.temporary, to: write.path) }
        } else {
            status = try connection.rename(write.temporary, to: write.path)
        }
        if status.isOK { return }
        // Nobody else takes our temporary file: if it is gone, it has its name.
        let there = try connection.status(write.path)
        if status.code == .noSuchFile, hasAskedBefore, there?.isRegularFile == true { return }
        if there?.isDirectory == true { throw Self.nameConflict }
        if there != nil, status.code == .failure, !connection.offers(.posixRename) {
            throw ServiceFailure(
                .invalid,
                "the SFTP server cannot replace a file in one step: it does not offer posix-rename@openssh.com")
        }
        throw try write.refusal(status, hasAskedBefore, connection)
    }

    private func create(_ write: SFTPWrite, _ connection: SFTPConnection) throws(ServiceFailure) {
        let hasAskedBefore = write.hasAsked
        write.hasAsked = true
        if createsAtomically, connection.offers(.hardLink) {
            // Where a link fails although nothing is in the way, something may have been in the way at that moment.
            for _ in 0..<2 {
                let status = try connection.link(write.temporary, as: write.path)
                if status.isOK {
                    write.temporaryStays = true
                    return
                }
                if try isOurs(write, hasAskedBefore, connection) {
                    write.temporaryStays = true
                    return
                }
                if status.code == .noSuchFile { throw try write.refusal(status, hasAskedBefore, connection) }
                if status.code == .unsupported { break }
            }
        }
        // A file system without hard links says that they are not permitted; what may not be written at all fails here.
        if try isOurs(write, hasAskedBefore, connection) { return }
        let status = try connection.rename(write.temporary, to: write.path)
        if status.isOK { return noteMissingHardLinks() }
        if try isOurs(write, hasAskedBefore, connection) { return }
        throw try write.refusal(status, hasAskedBefore, connection)
    }

    /// Whether the object that has the name is what we have written: an earlier try has succeeded, and its answer was
    /// lost. False when nothing has the name; throws when it is somebody else's.
    private func isOurs(
        _ write: SFTPWrite, _ hasAskedBefore: Bool, _ connection: SFTPConnection
    ) throws(ServiceFailure) -> Bool {
        guard let there = try connection.status(write.path) else { return false }
        if there.isDirectory { throw Self.nameConflict }
        let taken = ServiceFailure(.alreadyExists, "")
        guard hasAskedBefore else { throw taken }
        // Nobody else takes our temporary file: if it is gone, it was renamed.
        guard let own = try connection.status(write.temporary) else { return true }
        // Two names of one file have one time. Some time of long ago, that nobody else sets.
        let mark = UInt32.random(in: 1...1_000_000_000)
        guard try connection.setModified(write.temporary, mark).isOK else { throw taken }
        let isSame = try connection.status(write.path)?.modified == mark
        if let modified = own.modified { _ = try connection.setModified(write.temporary, modified) }
        if !isSame { throw taken }
        return true
    }

    // MARK: - What others have left

    /// How old a temporary file is that nobody writes to any more.
    private static let abandonedAge: UInt32 = 24 * 60 * 60

    /// The first time that this store writes to a directory: removes temporary files that nobody has written to for a
    /// day, which is what a killed writer leaves. Best effort.
    ///
    /// - Parameter now: By the server's clock.
    private func clear(_ directory: String, now: UInt32?, _ connection: SFTPConnection) {
        guard let now, now > Self.abandonedAge,
            clearedDirectories.withLock({ cleared in
                if cleared.count >= 10_000 { cleared.removeAll() }  // bounded; a second time does no harm
                return cleared.insert(directory).inserted
            })
        else { return }
        do throws(ServiceFailure) {
            var abandoned: [String] = []
            try connection.readDirectory(directory) { (name, attributes) throws(ServiceFailure) in
                if name.starts(with: FileKey.temporaryPrefix.utf8), attributes.isRegularFile,
                    let modified = attributes.modified, modified < now - Self.abandonedAge,
                    let text = String(validating: name, as: UTF8.self)
                {
                    abandoned.append("\(directory)/\(text)")
                }
                return true
            }
            for path in abandoned { _ = try connection.remove(path) }
        } catch {}
    }
}
