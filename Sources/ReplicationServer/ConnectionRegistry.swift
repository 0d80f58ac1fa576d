import NIOCore
import Synchronization

/// The connections that are open, and the slots that they use.
final class ConnectionRegistry: Sendable {
    private struct Entry {
        let consumer: ConsumerState
        let channel: any Channel
    }
    private struct State {
        var entries: [Int32: Entry] = [:]
        var lastID: Int32 = 0
        var slotUsers: [String: Int32] = [:]
        var isClosed = false
    }
    private let state = Mutex(State())

    /// The consumers in the order in which they came.
    var consumers: [ReplicationConsumer] {
        state.withLock { $0.entries.values.map(\.consumer.consumer) }.sorted {
            ($0.connectedAt, $0.id) < ($1.connectedAt, $1.id)
        }
    }

    /// Enters a new connection.
    ///
    /// - Returns: What is known of it, and how many there are now; nil after `close`.
    func add(_ channel: any Channel) -> (ConsumerState, count: Int)? {
        state.withLock { state in
            guard !state.isClosed else { return nil }
            repeat {
                state.lastID = state.lastID == .max ? 1 : state.lastID + 1
            } while state.entries[state.lastID] != nil
            let address = channel.remoteAddress.map { "\($0.ipAddress ?? ""):\($0.port ?? 0)" } ?? ""
            let consumer = ConsumerState(id: state.lastID, address: address)
            state.entries[consumer.id] = Entry(consumer: consumer, channel: channel)
            return (consumer, state.entries.count)
        }
    }

    func remove(_ id: Int32) {
        state.withLock { state in
            state.entries[id] = nil
            state.slotUsers = state.slotUsers.filter { $0.value != id }
        }
    }

    /// Takes a slot for a connection.
    ///
    /// - Returns: Who else has it; nil when it is taken now.
    func acquireSlot(_ name: String, by id: Int32) -> Int32? {
        state.withLock { state in
            if let user = state.slotUsers[name] { return user }
            state.slotUsers[name] = id
            return nil
        }
    }

    func releaseSlot(_ name: String, by id: Int32) {
        state.withLock { if $0.slotUsers[name] == id { $0.slotUsers[name] = nil } }
    }

    /// Lets nobody in any more, tells those there are that it is over, and closes their connections.
    func close() {
        let channels = state.withLock { state in
            state.isClosed = true
            return state.entries.values.map(\.channel)
        }
        var farewell = ByteBuffer()
        farewell.writeError(.fatal("57P01", "terminating connection due to administrator command"))
        for channel in channels {
            channel.writeAndFlush(farewell).whenComplete { _ in channel.close(promise: nil) }
            // One that does not read takes no farewell.
            channel.eventLoop.scheduleTask(in: .seconds(2)) { channel.close(promise: nil) }
        }
    }
}
