extension S3ObjectStore {
    /// Writes an object in parts, several at a time, and joins them. Whatever goes wrong, the parts are removed.
    func putParts(
        _ write: S3Write, _ first: HTTPBody, _ parts: inout S3PartSource
    ) async throws(S3Failure) -> ObjectInfo {
        let upload = S3Upload(store: self, write: write)
        do throws(S3Failure) {
            try await upload.begin()
            let sent = try await sendParts(upload, first, &parts)
            let info = try await upload.join(sent)
            await Self.regardless { await upload.removeStrays() }
            return info
        } catch {
            // Not in this task, which may be cancelled: what was sent costs money until it is removed.
            await Self.regardless { await upload.abandon() }
            throw error
        }
    }

    private static func regardless(_ work: @escaping @Sendable () async -> Void) async {
        await Task.detached { await work() }.value
    }

    /// Sends the parts, which are read here and in order, each by a task of its own once there is a place for it.
    private func sendParts(
        _ upload: S3Upload, _ first: HTTPBody, _ parts: inout S3PartSource
    ) async throws(S3Failure) -> [S3Upload.Part] {
        var source = parts
        defer { parts = source }
        do {
            return try await withThrowingTaskGroup(of: S3Upload.Part.self) { group in
                var sent: [S3Upload.Part] = []
                var next: HTTPBody? = first
                var count = 0
                while let body = next {
                    // Here a failed part is learnt of before all has been read.
                    if count - sent.count >= client.options.uploadConcurrency, let part = try await group.next() {
                        sent.append(part)
                    }
                    try await uploads.acquire()
                    count += 1
                    let number = count
                    group.addTask {
                        defer { self.uploads.release() }
                        return try await upload.send(body, number: number)
                    }
                    next = try await source.next()
                }
                for try await part in group { sent.append(part) }
                return sent.sorted { $0.number < $1.number }
            }
        } catch {
            if let failure = error as? S3Failure { throw failure }
            throw S3Failure(.unavailable, "cancelled", cause: error)
        }
    }
}
