public import PostgresFormat
import Synchronization

/// How receiving goes.
public struct ReceiverStatus: Sendable, Equatable {
    public enum State: Sendable, Equatable {
        case connecting
        case streaming
        /// Full disk: nothing is acknowledged until there is space.
        case diskFull
        /// Tries again by itself; the text says what went wrong.
        case failing(String)
        /// The primary's WAL is not the one that is here; somebody has to decide. The text says what.
        case refusing(String)
    }

    public var state = State.connecting
    /// The server that WAL comes from, while there is a connection.
    public var primary: String?
    /// Behind the last byte that was received.
    public var received = LSN.invalid
    /// The primary's own end of WAL, as far as it has told.
    public var primaryEnd = LSN.invalid
    /// When something was last heard from the primary, in seconds since 1970.
    public var lastMessage: Double = 0
    public var lag = ReceiverLag()
    public var flushes = FlushHistogram()
    public var connectionCount = 0
}

/// How long putting WAL on disk took.
public struct FlushHistogram: Sendable, Equatable {
    /// Upper bounds in microseconds; one more bucket has no bound.
    public static let bounds: [Int] = [
        50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 500_000, 1_000_000,
    ]
    public private(set) var counts = [Int](repeating: 0, count: FlushHistogram.bounds.count + 1)
    public private(set) var sumMicroseconds = 0
    public var count: Int { counts.reduce(0, +) }

    mutating func add(microseconds: Int) {
        counts[Self.bounds.firstIndex { microseconds <= $0 } ?? Self.bounds.count] += 1
        sumMicroseconds += microseconds
    }
}
