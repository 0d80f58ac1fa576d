extension S3ObjectStore {
    /// Writes an object in parts, several at a time, and joins them. Whatever goes wrong, the parts are removed.
    func putParts(
        _ write: S3Write, _ first: HTTPBody, _ parts: inout PartSource
    ) async throws(ServiceFailure) -> ObjectInfo {
        let upload = S3Upload(store: self, write: write)
        do throws(ServiceFailure) {
            try await upload.begin()
            let sent = try await sendParts(
                first, &parts, places: uploads, concurrency: client.options.uploadConcurrency
            ) { (body, number) async throws(ServiceFailure) in try await upload.send(body, number: number) }
            let info = try await upload.join(sent)
            await regardlessOfCancellation { await upload.removeStrays() }
            return info
        } catch {
            // Not in this task, which may be cancelled: what was sent costs money until it is removed.
            await regardlessOfCancellation { await upload.abandon() }
            throw error
        }
    }
}
