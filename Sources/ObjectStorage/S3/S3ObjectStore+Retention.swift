import FoundationEssentials
import StorageURI
import Synchronization

/// Object lock: new objects that cannot be deleted for a while (`S3_RETENTION_PERIOD`). The bucket keeps versions then;
/// what is deleted or written over is hidden, and stays.
extension S3ObjectStore {
    private func end(of retention: S3Settings.Retention) -> String {
        client.serviceTime.addingTimeInterval(Double(retention.seconds)).formatted(.iso8601)
    }

    var lockHeaders: [(name: String, value: String)] {
        guard let retention = client.options.retention else { return [] }
        return [
            ("x-amz-object-lock-mode", retention.mode),
            ("x-amz-object-lock-retain-until-date", end(of: retention)),
        ]
    }

    /// Before the first object is written that is to be locked: a service that knows nothing of locks takes their
    /// headers all the same. Amazon does not.
    func checkLocking() async throws(ServiceFailure) {
        guard client.options.retention != nil, isLocking.withLock({ !$0 }) else { return }
        let bucket = S3Operation(method: "GET", query: [("object-lock", "")])
        let reason: String
        do throws(ServiceFailure) {
            let root = XMLElement.parse(try await client.perform(bucket).response.body)
            if root?.name == "ObjectLockConfiguration", root?["ObjectLockEnabled"] == "Enabled" {
                return isLocking.withLock { $0 = true }
            }
            reason = "the answer says nothing of it"
        } catch {
            let isAbsent = error.status == 501 || error.code == .notFound && !error.isContainerMissing
            guard isAbsent || error.code == .invalid else { throw error }
            reason = "\(error.status) \(error.serviceCode)"
        }
        throw ServiceFailure(
            .invalid, "S3_RETENTION_PERIOD is set, but the bucket does not lock objects (\(reason))")
    }

    /// After an object was written. Ceph locks none that came in parts, whatever their headers said: then the lock is
    /// put on the whole.
    func ensureLocked(_ fullKey: String) async throws(ServiceFailure) {
        guard let retention = client.options.retention, !client.options.endpoint.isAmazon,
            try await headResponse(fullKey).headers["x-amz-object-lock-mode"] == nil
        else { return }
        let text =
            "<Retention xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Mode>\(retention.mode)</Mode>"
            + "<RetainUntilDate>\(end(of: retention))</RetainUntilDate></Retention>"
        let payload = try await S3Payload.digesting(.bytes(Array(text.utf8)), isSigned: true, needsMD5: true)
        do throws(ServiceFailure) {
            _ = try await client.perform(
                S3Operation(method: "PUT", key: fullKey, query: [("retention", "")], payload: payload))
        } catch {
            var failure = error
            failure.detail = "the object is written, but could not be locked: \(failure.detail)"
            throw failure
        }
    }
}
