package import FoundationEssentials

/// Credentials, or a token, that may end.
package protocol ExpiringCredential: Sendable {
    /// When the service stops accepting them; nil: never.
    var expiration: Date? { get }
}

/// The credentials of one storage role: found once, kept, and fetched anew before they expire.
package actor CredentialCache<Credential: ExpiringCredential> {
    /// How long before their end credentials are replaced; for short-lived ones, half their life.
    private static var margin: TimeInterval { 300 }
    /// The wait after a failed replacement, as long as the old ones last.
    private static var retryInterval: TimeInterval { 30 }

    private let resolve: @Sendable () async throws -> Credential
    private let now: @Sendable () -> Date
    private var current: Credential?
    /// When the current ones are to be replaced; nil: never.
    private var replaceAt: Date?
    /// The fetch under way, which all who ask meanwhile share.
    private var fetch: Task<Credential, any Error>?

    /// - Parameters:
    ///   - now: The clock.
    ///   - resolve: Finds or fetches the credentials.
    package init(
        now: @escaping @Sendable () -> Date = { Date() }, resolve: @escaping @Sendable () async throws -> Credential
    ) {
        self.now = now
        self.resolve = resolve
    }

    /// The current credentials, fetched anew when they are about to expire.
    ///
    /// - Parameter refresh: True after the service refused them as expired: the cached ones are dropped.
    package func credentials(refresh: Bool = false) async throws -> Credential {
        if refresh { (current, replaceAt) = (nil, nil) }
        if let current, replaceAt.map({ now() < $0 }) ?? true { return current }
        let previous = current
        do {
            return try await shared()
        } catch {
            // They are still good for a while: the service may be back before they end.
            guard let previous, let end = previous.expiration, now() < end else { throw error }
            if current != nil { replaceAt = now() + Self.retryInterval }
            return previous
        }
    }

    private func shared() async throws -> Credential {
        if let fetch { return try await fetch.value }
        let task = Task { try await resolve() }
        fetch = task
        defer { fetch = nil }
        let found = try await task.value
        current = found
        replaceAt = found.expiration.map { end in
            let life = end.timeIntervalSince(now())
            // What seems to have ended already may be a matter of our clock: the storage is the judge of that.
            return life > 0 ? end - min(Self.margin, life / 2) : now() + Self.retryInterval
        }
        return found
    }
}
