import StorageURI

/// The prefix of a storage in its bucket or container: what stands before every key.
struct KeyPrefix: Sendable {
    /// Empty, or with a slash at its end.
    let text: String

    init(_ location: StorageLocation) { text = location.path.isEmpty ? "" : "\(location.path)/" }

    /// The most that a key may have with the prefix, in every service.
    private static let maximumBytes = 1024

    /// The key in the bucket.
    func full(_ key: ObjectKey) throws(ServiceFailure) -> String {
        let full = text + key.text
        guard !key.text.isEmpty, full.utf8.count <= Self.maximumBytes, !full.utf8.contains(0) else {
            throw ServiceFailure(.invalid, "a key has 1 to \(Self.maximumBytes) bytes, none of them zero")
        }
        return full
    }

    /// A prefix of keys, in the bucket.
    func full(prefix: String) -> String { text + prefix }

    /// A whole key without the prefix; nil when it does not have it.
    func relative(_ fullKey: String) -> String? {
        guard fullKey.utf8.starts(with: text.utf8) else { return nil }
        return String(decoding: fullKey.utf8.dropFirst(text.utf8.count), as: UTF8.self)
    }
}

extension ServiceFailure {
    /// In words: where, what happened, what was being done, and for a refusal with whose credentials.
    ///
    /// - Parameters:
    ///   - action: "reading the object".
    ///   - key: What it is about; nil: the storage as a whole.
    ///   - credentials: Where the credentials in use came from.
    func error(
        _ action: String, _ key: ObjectKey?, at location: StorageLocation, credentials: String?
    ) -> ObjectStoreError {
        var place = location.description
        if let key { place += location.path.isEmpty && place.hasSuffix("/") ? key.text : "/\(key)" }
        let container = "\(location.scheme.containerWord) \(location.container)"
        var text = "\(place): \(explanation(container: container)) \(action)"
        if code == .denied, let credentials { text += "; credentials came from \(credentials)" }
        return ObjectStoreError(code, text, cause: cause)
    }
}
