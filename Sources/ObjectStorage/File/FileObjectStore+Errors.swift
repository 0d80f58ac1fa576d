import SystemPackage

extension FileObjectStore {
    /// How much is read or written between two looks at whether the task was cancelled.
    static let stepBytes = 8 << 20

    /// Checks the key, and runs `body` on a thread that may block.
    func blocking<Value: Sendable>(
        _ what: String, _ key: ObjectKey,
        _ body: @escaping @Sendable (FileKey, BlockingWork.Cancellation) throws(ObjectStoreError) -> Value
    ) async throws(ObjectStoreError) -> Value {
        let place: FileKey
        do throws(FileKey.Fault) { place = try FileKey(key) } catch { throw invalid(what, key, error.description) }
        return try await blocking("\(what) \(key)") { cancellation throws(ObjectStoreError) in
            try body(place, cancellation)
        }
    }

    /// Runs `body` on a thread that may block.
    func blocking<Value: Sendable>(
        _ action: String,
        _ body: @escaping @Sendable (BlockingWork.Cancellation) throws(ObjectStoreError) -> Value
    ) async throws(ObjectStoreError) -> Value {
        do { return try await work.run(body) } catch let error as ObjectStoreError { throw error } catch {
            throw ObjectStoreError(.unavailable, "\(location): \(action)", cause: error)
        }
    }

    func check(
        _ cancellation: BlockingWork.Cancellation, _ what: String, _ key: ObjectKey
    ) throws(ObjectStoreError) {
        do throws(CancellationError) { try cancellation.check() } catch {
            throw ObjectStoreError(.unavailable, "\(location): \(what) \(key)", cause: error)
        }
    }

    func invalid(_ what: String, _ key: ObjectKey, _ reason: String) -> ObjectStoreError {
        ObjectStoreError(.invalid, "\(location): \(what) \(key): \(reason)")
    }

    /// What the operating system's answer means for a caller.
    func failure(_ error: Errno, _ what: String, _ key: ObjectKey?) -> ObjectStoreError {
        let (code, reason): (ObjectStoreError.Code, String) =
            switch error {
            case .noSuchFileOrDirectory: (.notFound, "no such object")
            case .permissionDenied, .notPermitted: (.denied, error.description)
            case .noSpace, .diskQuotaExceeded, .readOnlyFileSystem, .fileTooLarge: (.full, error.description)
            // openat2 says EXDEV where a path leaves its root, ELOOP where it leads through a symlink.
            case .tooManySymbolicLinkLevels, .improperLink:
                (.corrupt, "a symlink below the storage's root is not followed")
            case .notDirectory where tree.rootIsFile: (.invalid, "the storage's root is not a directory")
            case .notDirectory, .isDirectory, .directoryNotEmpty:
                (.invalid, "the same name is an object and a directory of others")
            case .fileNameTooLong: (.invalid, error.description)
            default: (.unavailable, error.description)
            }
        let subject = key.map { "\(what) \($0)" } ?? what
        return ObjectStoreError(code, "\(location): \(subject): \(reason)")
    }
}
