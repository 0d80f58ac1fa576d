import PostgresFormat
import Synchronization

/// What a connection's task, its sender, its timer and the status page know of it together.
final class ConsumerState: Sendable {
    private struct Values {
        var consumer: ReplicationConsumer
        var lastWord = ContinuousClock.now
        /// When it was asked for a word that has not come yet.
        var askedAt: ContinuousClock.Instant?
    }
    private let values: Mutex<Values>
    let id: Int32

    init(id: Int32, address: String) {
        self.id = id
        let connectedAt = postgresNow() / 1_000_000 + 946_684_800
        let consumer = ReplicationConsumer(id: id, address: address, connectedAt: connectedAt)
        values = Mutex(Values(consumer: consumer))
    }

    var consumer: ReplicationConsumer { values.withLock { $0.consumer } }
    var isEncrypted: Bool { values.withLock { $0.consumer.isEncrypted } }
    var sentLSN: LSN { values.withLock { $0.consumer.sentLSN ?? .invalid } }

    func setEncrypted() { values.withLock { $0.consumer.isEncrypted = true } }

    func authenticated(user: String, applicationName: String) {
        values.withLock {
            $0.consumer.user = printable(user)
            $0.consumer.applicationName = applicationName
            $0.consumer.state = .idle
        }
    }

    func startStreaming(at lsn: LSN, slot: String?) {
        values.withLock {
            $0.consumer.state = .catchup
            $0.consumer.slot = slot
            $0.consumer.sentLSN = lsn
            $0.consumer.writtenLSN = nil
            $0.consumer.flushedLSN = nil
            $0.consumer.appliedLSN = nil
            $0.lastWord = .now
            $0.askedAt = nil
        }
    }

    func endStreaming() {
        values.withLock {
            $0.consumer.state = .idle
            $0.consumer.slot = nil
        }
    }

    func sent(upTo lsn: LSN) { values.withLock { $0.consumer.sentLSN = lsn } }

    func caughtUp(_ isCaughtUp: Bool) {
        values.withLock { $0.consumer.state = isCaughtUp ? .streaming : .catchup }
    }

    /// The consumer has said something.
    func heard(_ status: StandbyStatus?) {
        values.withLock {
            $0.lastWord = .now
            $0.askedAt = nil
            guard let status else { return }
            $0.consumer.writtenLSN = status.writtenLSN
            $0.consumer.flushedLSN = status.flushedLSN
            $0.consumer.appliedLSN = status.appliedLSN
        }
    }

    enum Patience {
        case enough
        /// It is time to ask for a word; returned once.
        case asks
        case spent
    }

    /// How the consumer's silence stands to `timeout`: half of it before it is asked, and half of it to answer, though
    /// this process may have slept meanwhile.
    func patience(timeout: Duration) -> Patience {
        values.withLock {
            let now = ContinuousClock.now
            if let askedAt = $0.askedAt { return askedAt.duration(to: now) >= timeout / 2 ? .spent : .enough }
            guard $0.lastWord.duration(to: now) >= timeout / 2 else { return .enough }
            $0.askedAt = now
            return .asks
        }
    }
}
