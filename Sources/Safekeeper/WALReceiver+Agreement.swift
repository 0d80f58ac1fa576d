import Logging
import PostgresFormat
import ReplicationClient
import Synchronization
import WALStore

/// The primary's WAL does not follow on what is here. Trying again changes nothing: the text says what to do.
struct Refusal: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

extension WALReceiver {
    /// Where receiving begins.
    struct Start {
        let timeline: TimelineID
        /// Where new WAL begins.
        let lsn: LSN
        /// Where to ask for WAL from: what is before `lsn` is compared with what is here.
        let compared: LSN
    }

    /// How much of what is here is compared.
    private static let comparedBytes: UInt64 = 64 << 10

    /// Finds out whether the server is the one whose WAL is here, and where to go on.
    func agree(_ connection: borrowing ReplicationConnection) throws -> Start {
        let system = try connection.identifySystem()
        let identity = store.identity
        guard system.identifier == identity.systemIdentifier else {
            throw Refusal(
                "\(connection.address) is another cluster: its system identifier is \(system.identifier), that of the "
                    + "WAL here \(identity.systemIdentifier). Correct wal_source, or make a safekeeper of its own for it"
            )
        }
        let major = connection.serverVersion / 10_000
        guard major == identity.major else {
            throw Refusal(
                "\(connection.address) is PostgreSQL \(major), the WAL here of \(identity.major): make a new safekeeper "
                    + "after an upgrade")
        }
        try makeSlot(connection)
        guard let position = store.position else { return try firstStart(connection, system) }
        guard position.timeline <= system.timeline else {
            throw Refusal(
                "\(connection.address) is on timeline \(system.timeline), the WAL here goes on to timeline "
                    + "\(position.timeline): it is a server from before a promotion. Correct wal_source")
        }
        if position.timeline == system.timeline {
            try checkBehind(connection, system, position)
        } else {
            try checkHistory(connection, system, position)
        }
        let segment = WALSegment(timeline: position.timeline, holding: position.flushed, size: identity.segmentSize)
        // At a segment's beginning, the one before is compared.
        let earliest = segment.startLSN == position.flushed ? 0 : segment.startLSN.rawValue
        let page = UInt64(Page.size)
        let wanted = position.flushed.rawValue > Self.comparedBytes ? position.flushed.rawValue - Self.comparedBytes : 0
        let compared = LSN(rawValue: max(earliest, wanted) / page * page)
        return Start(
            timeline: position.timeline, lsn: position.flushed,
            compared: try !comparesNothing.exchange(false, ordering: .relaxed)
                && hasSegment(at: compared, position.timeline) ? compared : position.flushed)
    }

    /// What follows from the primary's not having WAL any more that was asked for.
    func removedWAL(
        _ start: Start, _ written: LSN, _ connection: borrowing ReplicationConnection, _ error: ReplicationError
    ) -> any Error {
        if start.compared < start.lsn, written == start.lsn {
            // It may be what was to be compared only: the next record's link to the one before still tells.
            comparesNothing.store(true, ordering: .relaxed)
            return error
        }
        return Refusal(
            "\(connection.address) has removed WAL that is missing here, from \(store.position?.flushed ?? written) on: "
                + "\(error). Its max_slot_wal_keep_size was reached, or slot \(source.slot) was dropped. What is here "
                + "stays, and is served. To go on without what is missing, drop the slot there (select "
                + "pg_drop_replication_slot('\(source.slot)')), make a new safekeeper in an empty directory, and take a "
                + "new base backup: WAL in storage has a gap")
    }

    private func hasSegment(at lsn: LSN, _ timeline: TimelineID) throws -> Bool {
        try store.segments().contains(WALSegment(timeline: timeline, holding: lsn, size: store.identity.segmentSize))
    }

    private func makeSlot(_ connection: borrowing ReplicationConnection) throws {
        do { try connection.createSlot(source.slot) } catch {
            if error.isDuplicate { return }
            throw error
        }
        guard let position = store.position else { return }
        logger.warning(
            "slot \(source.slot) was missing on \(connection.address) and is made anew: WAL may be gone there that is missing here",
            metadata: ["flushed": "\(position.flushed)"])
    }

    /// Without WAL of our own: from where the slot holds it, else from where the server was when it was made.
    private func firstStart(
        _ connection: borrowing ReplicationConnection, _ system: ReplicationConnection.System
    ) throws -> Start {
        let first = source.firstPosition ?? WALStore.Position(timeline: system.timeline, flushed: system.flushed)
        var (timeline, lsn) = (first.timeline, first.flushed)
        // Servers before 15 do not tell of a slot.
        if connection.serverVersion >= 150_000, let slot = try connection.readSlot(source.slot) {
            lsn = slot.start
            if let older = slot.timeline { timeline = older }
        }
        let start = WALSegment(timeline: timeline, holding: lsn, size: store.identity.segmentSize).startLSN
        return Start(timeline: timeline, lsn: start, compared: start)
    }

    private func checkBehind(
        _ connection: borrowing ReplicationConnection, _ system: ReplicationConnection.System,
        _ position: WALStore.Position
    ) throws {
        guard system.flushed < position.flushed else { return }
        guard try connection.serverVersion < 140_000 || connection.show("in_hot_standby") == "off" else {
            throw ReplicationError(
                .unavailable,
                "\(connection.address) is a standby that has replayed up to \(system.flushed) only, and WAL here ends at "
                    + "\(position.flushed)")
        }
        throw Refusal(
            "\(connection.address) ends at \(system.flushed), and WAL here at \(position.flushed) of the same timeline: it "
                + "has lost WAL that was acknowledged. Recover it from this WAL instead of going on with it: see "
                + "docs/safekeeper.md")
    }

    private func checkHistory(
        _ connection: borrowing ReplicationConnection, _ system: ReplicationConnection.System,
        _ position: WALStore.Position
    ) throws {
        let history = try TimelineHistory(
            parsing: try connection.history(of: system.timeline), timeline: system.timeline)
        guard let end = history.end(of: position.timeline) else {
            throw Refusal(
                "\(connection.address) is on timeline \(system.timeline), which does not descend from timeline "
                    + "\(position.timeline), whose WAL is here")
        }
        guard end >= position.flushed else {
            throw Refusal(
                "\(connection.address) left timeline \(position.timeline) at \(end), and WAL here goes on to "
                    + "\(position.flushed): it was promoted without what was acknowledged from here. Recover it from this "
                    + "WAL, or, if what it lacks is given up, begin anew in an empty directory: see docs/safekeeper.md")
        }
    }
}
