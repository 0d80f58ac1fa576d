import NIOCore
import PostgresFormat

extension Connection {
    /// Runs a command that has a result, and returns it.
    func result(of command: ReplicationCommand) async throws -> ByteBuffer {
        var message = ByteBuffer()
        switch command {
        case .identifySystem:
            let position = context.source.position()
            message.writeResult(
                [.text("systemid"), .int8("timeline"), .text("xlogpos"), .text("dbname")],
                [
                    Array("\(context.source.identity.systemIdentifier)".utf8), Array("\(position.timeline)".utf8),
                    Array("\(position.flushedLSN)".utf8), nil,
                ], tag: "IDENTIFY_SYSTEM")
        case .show(let name):
            guard let value = parameter(name) else {
                throw ServerError.error("42704", "unrecognized configuration parameter \"\(printable(name))\"")
            }
            message.writeResult([.text(name)], [Array(value.utf8)], tag: "SHOW")
        case .timelineHistory(let timeline):
            let name = TimelineHistoryFile.name(of: timeline)
            guard let content = try await context.source.history(of: timeline) else {
                throw ServerError.error("58P01", "could not open file \"pg_wal/\(name)\": No such file or directory")
            }
            message.writeResult(
                [.text("filename"), .bytea("content")], [Array(name.utf8), content], tag: "TIMELINE_HISTORY")
        case .createSlot(let name, let isTemporary, let reservesWAL):
            try await createSlot(name, isTemporary: isTemporary, reservesWAL: reservesWAL)
            message.writeResult(
                [.text("slot_name"), .text("consistent_point"), .text("snapshot_name"), .text("output_plugin")],
                [Array(name.utf8), Array("0/0".utf8), nil, nil], tag: "CREATE_REPLICATION_SLOT")
        case .readSlot(let name):
            let slot = try await context.source.slot(name)
            message.writeResult(
                [.text("slot_type"), .text("restart_lsn"), .int8("restart_tli")],
                [
                    slot.map { _ in Array("physical".utf8) }, slot?.restartLSN.map { Array("\($0)".utf8) },
                    slot?.restartTimeline.map { Array("\($0)".utf8) },
                ], tag: "READ_REPLICATION_SLOT")
        case .dropSlot(let name, let waits):
            try await dropSlot(name, waits: waits)
            message.writeCommandComplete("DROP_REPLICATION_SLOT")
        case .start: preconditionFailure("starting a copy has no result")
        }
        return message
    }

    // MARK: Parameters

    /// What a client is told at the start without asking; `libpq` and the programs on it need some of these.
    func reportedParameters(user: String, applicationName: String) -> [(String, String)] {
        [
            ("application_name", applicationName), ("client_encoding", "UTF8"), ("DateStyle", "ISO, MDY"),
            ("default_transaction_read_only", "off"), ("in_hot_standby", "on"), ("integer_datetimes", "on"),
            ("IntervalStyle", "postgres"), ("is_superuser", "off"), ("server_encoding", "UTF8"),
            ("server_version", context.source.identity.serverVersion), ("session_authorization", printable(user)),
            ("standard_conforming_strings", "on"), ("TimeZone", "Etc/UTC"),
        ]
    }

    private func parameter(_ name: String) -> String? {
        let identity = context.source.identity
        switch name.lowercased() {
        case "wal_segment_size":
            let megabytes = identity.segmentSize >> 20
            return megabytes % 1024 == 0 ? "\(megabytes >> 10)GB" : "\(megabytes)MB"
        case "data_directory_mode": return identity.allowsGroupAccess ? "0750" : "0700"
        case "server_version_num": return "\(identity.serverVersionNumber)"
        case "block_size", "wal_block_size": return "8192"
        default:
            let consumer = consumer.consumer
            return reportedParameters(user: consumer.user, applicationName: consumer.applicationName)
                .first { $0.0.lowercased() == name.lowercased() }?.1
        }
    }

    // MARK: Slots

    private func createSlot(_ name: String, isTemporary: Bool, reservesWAL: Bool) async throws {
        try Self.checkSlotName(name)
        do {
            try await context.source.createSlot(name, isTemporary: isTemporary, reservesWAL: reservesWAL)
        } catch let error as WALSourceError {
            switch error {
            case .slotExists: throw ServerError.error("42710", "replication slot \"\(name)\" already exists")
            case .tooManySlots: throw ServerError.error("53400", "all replication slots are in use")
            default: throw error
            }
        }
        if isTemporary { temporarySlots.insert(name) }
    }

    private func dropSlot(_ name: String, waits: Bool) async throws {
        try Self.checkSlotName(name)
        guard try await context.source.slot(name) != nil else { throw Self.noSuchSlot(name) }
        while let user = context.registry.acquireSlot(name, by: consumer.id) {
            guard waits, channel.isActive else { throw Self.slotIsActive(name, user) }
            // Its user says nothing when it lets go, and who waits here may go away any time.
            try await Task.sleep(for: .milliseconds(100))
        }
        defer { context.registry.releaseSlot(name, by: consumer.id) }
        do { try await context.source.dropSlot(name) } catch let error as WALSourceError {
            throw error == .noSuchSlot ? Self.noSuchSlot(name) : error
        }
        temporarySlots.remove(name)
    }

    /// Takes a slot for the copy that is to start.
    func acquire(_ slot: String) async throws {
        try Self.checkSlotName(slot)
        if let user = context.registry.acquireSlot(slot, by: consumer.id) { throw Self.slotIsActive(slot, user) }
        do {
            guard try await context.source.slot(slot) != nil else { throw Self.noSuchSlot(slot) }
        } catch {
            context.registry.releaseSlot(slot, by: consumer.id)
            throw error
        }
    }

    private static func noSuchSlot(_ name: String) -> ServerError {
        .error("42704", "replication slot \"\(name)\" does not exist")
    }

    private static func slotIsActive(_ name: String, _ user: Int32) -> ServerError {
        .error("55006", "replication slot \"\(name)\" is active for PID \(user)")
    }

    /// PostgreSQL's `ReplicationSlotValidateName`.
    private static func checkSlotName(_ name: String) throws(ServerError) {
        guard !name.isEmpty else { throw .error("42602", "replication slot name \"\" is too short") }
        guard name.utf8.count <= 63 else {
            throw .error("42622", "replication slot name \"\(printable(name))\" is too long")
        }
        let isValid = name.utf8.allSatisfy {
            switch $0 {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"): true
            default: false
            }
        }
        guard isValid else {
            throw .error(
                "42602", "replication slot name \"\(printable(name))\" contains invalid character",
                hint: "Replication slot names may only contain lower case letters, numbers, "
                    + "and the underscore character.")
        }
    }

    // MARK: The start of a copy

    /// Whether WAL can be sent from there on, as PostgreSQL's `StartReplication` checks it.
    ///
    /// - Returns: Where the timeline ended; nil for the newest.
    func checkStart(
        _ lsn: LSN, timeline: TimelineID, position: WALPosition
    ) async throws -> (next: TimelineID, switchLSN: LSN)? {
        var flushedLSN = position.flushedLSN
        if timeline != position.timeline {
            switch try await context.source.status(of: timeline) {
            case .unknown: throw ServerError.notInHistory(timeline)
            case .ended(let next, let switchLSN):
                guard lsn <= switchLSN else {
                    throw ServerError.error(
                        "XX000",
                        "requested starting point \(lsn) on timeline \(timeline) is not in this server's history",
                        detail: "This server's history forked from timeline \(timeline) at \(switchLSN).")
                }
                return (next, switchLSN)
            case .current: flushedLSN = context.source.position().flushedLSN
            }
        }
        guard lsn <= flushedLSN else {
            throw ServerError.error(
                "XX000",
                "requested starting point \(lsn) is ahead of the WAL flush position of this server \(flushedLSN)")
        }
        return nil
    }
}
