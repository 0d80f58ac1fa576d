import Glibc
import SystemPackage

extension FileObjectStore {
    @discardableResult
    public func put(
        _ key: ObjectKey, _ body: ObjectBody, mode: PutMode
    ) async throws(ObjectStoreError) -> ObjectInfo {
        switch body {
        case .bytes(let bytes):
            try await blocking("put", key) { [self] place, cancellation throws(ObjectStoreError) in
                try write(key, place, mode, cancellation) { writer throws(ObjectStoreError) in
                    try append(bytes[...], to: writer, key, cancellation)
                }
            }
        case .file(let path):
            try await blocking("put", key) { [self] place, cancellation throws(ObjectStoreError) in
                try write(key, place, mode, cancellation) { writer throws(ObjectStoreError) in
                    try copy(path, to: writer, key, cancellation)
                }
            }
        case .stream(let pieces):
            try await put(key, pieces, mode)
        }
    }

    /// Begins, fills and commits an object on this thread. A failure leaves no temporary file.
    private func write(
        _ key: ObjectKey, _ place: FileKey, _ mode: PutMode, _ cancellation: BlockingWork.Cancellation,
        _ fill: (FileWriter) throws(ObjectStoreError) -> Void
    ) throws(ObjectStoreError) -> ObjectInfo {
        let writer = try begin(key, place, mode)
        defer { writer.abandon() }
        try fill(writer)
        try check(cancellation, "put", key)
        return try commit(writer, key, mode)
    }

    private func begin(_ key: ObjectKey, _ place: FileKey, _ mode: PutMode) throws(ObjectStoreError) -> FileWriter {
        let writer: FileWriter
        do throws(Errno) { writer = try FileWriter.begin(place, in: tree, isDurable: isDurable) } catch {
            throw putFailure(error, key)
        }
        do throws(Errno) { if isDurable { try prepareOnce(place.directories) } } catch {
            writer.abandon()
            throw putFailure(error, key)
        }
        if mode == .createOnly, writer.placeIsTaken {
            writer.abandon()
            throw taken(key, place)
        }
        return writer
    }

    private func commit(_ writer: FileWriter, _ key: ObjectKey, _ mode: PutMode) throws(ObjectStoreError) -> ObjectInfo
    {
        do throws(Errno) {
            if try writer.commit(mode) == .inTwoSteps { noteCreateInTwoSteps() }
        } catch {
            if error == .fileExists, mode == .createOnly, let place = try? FileKey(key) { throw taken(key, place) }
            throw putFailure(error, key)
        }
        return ObjectInfo(key: key, sizeBytes: writer.sizeBytes)
    }

    private func taken(_ key: ObjectKey, _ place: FileKey) -> ObjectStoreError {
        // What is in the way may be a directory, and then the key can never be had.
        if (try? tree.open(directories: place.directories + [place.name])) != nil {
            return failure(.isDirectory, "put", key)
        }
        return ObjectStoreError(.alreadyExists, "\(location): put \(key): the object exists already")
    }

    /// Unlike for a read, "no such file" is no answer about the object.
    private func putFailure(_ error: Errno, _ key: ObjectKey) -> ObjectStoreError {
        if error == .noSuchFileOrDirectory || error == .fileExists {
            return ObjectStoreError(.unavailable, "\(location): put \(key): \(error)")
        }
        return failure(error, "put", key)
    }

    private func append(
        _ bytes: ArraySlice<UInt8>, to writer: FileWriter, _ key: ObjectKey, _ cancellation: BlockingWork.Cancellation
    ) throws(ObjectStoreError) {
        var rest = bytes
        while !rest.isEmpty {
            try check(cancellation, "put", key)
            let step = rest.prefix(Self.stepBytes)
            var fault: Errno?
            step.withUnsafeBytes { bytes in
                do throws(Errno) { try writer.write(bytes) } catch { fault = error }
            }
            if let fault { throw putFailure(fault, key) }
            rest = rest.dropFirst(step.count)
        }
    }

    private func copy(
        _ path: String, to writer: FileWriter, _ key: ObjectKey, _ cancellation: BlockingWork.Cancellation
    ) throws(ObjectStoreError) {
        func unreadable(_ error: Errno) -> ObjectStoreError {
            ObjectStoreError(
                error == .permissionDenied ? .denied : .invalid, "\(location): put \(key): read \(path): \(error)")
        }
        let source: Descriptor
        do throws(Errno) { source = try Descriptor.open(path, O_RDONLY | O_NONBLOCK) } catch { throw unreadable(error) }
        let status: stat
        do throws(Errno) { status = try source.status() } catch { throw unreadable(error) }
        guard status.isRegularFile else { throw invalid("put", key, "\(path) is not a regular file") }
        while true {
            try check(cancellation, "put", key)
            do throws(Errno) {
                if try writer.copy(from: source, count: Self.stepBytes) == 0 { break }
            } catch { throw putFailure(error, key) }
        }
        guard writer.sizeBytes == Int(status.st_size) else {
            throw invalid("put", key, "\(path) changed while it was read")
        }
    }
}

// MARK: - Streams

extension FileObjectStore {
    /// Pieces are gathered to this size before they take a thread.
    private static let gatherBytes = 1 << 20

    private func put(
        _ key: ObjectKey, _ pieces: any AsyncSequence<[UInt8], any Error> & Sendable, _ mode: PutMode
    ) async throws(ObjectStoreError) -> ObjectInfo {
        let writer = try await blocking("put", key) { [self] place, _ throws(ObjectStoreError) in
            try begin(key, place, mode)
        }
        do {
            var gathered: [UInt8] = []
            for try await piece in pieces {
                try Task.checkCancellation()
                if gathered.isEmpty { gathered = piece } else { gathered.append(contentsOf: piece) }
                if gathered.count >= Self.gatherBytes {
                    try await append(gathered, to: writer, key)
                    gathered = []
                }
            }
            try Task.checkCancellation()  // a stream may end early, without an error, when its task is cancelled
            if !gathered.isEmpty { try await append(gathered, to: writer, key) }
            return try await blocking("put \(key)") { [self] cancellation throws(ObjectStoreError) in
                defer { writer.abandon() }
                try check(cancellation, "put", key)
                return try commit(writer, key, mode)
            }
        } catch {
            await work.runRegardless { writer.abandon() }
            if let error = error as? ObjectStoreError { throw error }
            let code: ObjectStoreError.Code = error is CancellationError ? .unavailable : .invalid
            throw ObjectStoreError(code, "\(location): put \(key): its content", cause: error)
        }
    }

    private func append(_ bytes: [UInt8], to writer: FileWriter, _ key: ObjectKey) async throws(ObjectStoreError) {
        try await blocking("put \(key)") { [self] cancellation throws(ObjectStoreError) in
            try append(bytes[...], to: writer, key, cancellation)
        }
    }
}
