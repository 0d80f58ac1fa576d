/// For how long the primary has had WAL that is not on disk here.
///
/// What the primary has is known from its messages alone. Between two of them all is as the earlier one said, since the
/// primary sends new WAL at once; without a connection, time runs on from the last message that found us level.
public struct ReceiverLag: Sendable, Equatable {
    private enum State: Equatable {
        /// All that the primary had is on disk; a message said so then.
        case level(confirmed: ContinuousClock.Instant)
        case behind(since: ContinuousClock.Instant)
    }

    /// Before the first message nothing is known.
    private var state = State.behind(since: .now)

    /// How long it has been by now; zero while level.
    public var duration: Duration {
        switch state {
        case .level: .zero
        case .behind(let since): .now - since
        }
    }

    /// Notes what a message, or a flush, has told.
    mutating func note(isLevel: Bool, at now: ContinuousClock.Instant = .now) {
        if isLevel {
            state = .level(confirmed: now)
        } else if case .level = state {
            state = .behind(since: now)
        }
    }

    /// Notes that there is no connection any more.
    mutating func lose() {
        if case .level(let confirmed) = state { state = .behind(since: confirmed) }
    }
}
