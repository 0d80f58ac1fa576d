import Foundation
import Glibc
import PostgresFormat
import ReplicationServer
import Synchronization
import TestSupport

/// A source of WAL over a directory of segment files, whose position and timelines the test moves.
final class DirectorySource: WALSource {
    struct State {
        var position: WALPosition
        var ended: [TimelineID: (next: TimelineID, switchLSN: LSN)] = [:]
        var histories: [TimelineID: [UInt8]] = [:]
        var slots: [String: WALSlot] = [:]
        var confirmed: [String: LSN] = [:]
    }
    let identity: WALIdentity
    /// Where segment and history files lie.
    let directory: String
    let state: Mutex<State>

    init(_ directory: String, identity: WALIdentity, position: WALPosition) {
        self.directory = directory
        self.identity = identity
        state = Mutex(State(position: position))
    }

    /// A directory of its own with `count` segments of 1 MiB from number 1 on, of random bytes. Nothing is durable yet.
    static func random(segments count: Int, seed: UInt64 = 1, major: Int = 15) throws -> DirectorySource {
        let directory = try PostgresInstallation.makeDirectory(prefix: "zrs")
        var generator = SeededGenerator(seed: seed)
        for number in 1...UInt64(count) {
            var bytes = [UInt8]()
            bytes.reserveCapacity(1 << 20)
            for _ in 0..<(1 << 17) { withUnsafeBytes(of: generator.next()) { bytes += $0 } }
            let name = WALSegment(timeline: 1, number: number, size: 1 << 20).fileName
            try Data(bytes).write(to: URL(fileURLWithPath: "\(directory)/\(name)"))
        }
        return DirectorySource(
            directory,
            identity: WALIdentity(
                systemIdentifier: 7_711_350_716_358_040_721, segmentSize: 1 << 20, serverVersion: "\(major).14",
                serverVersionNumber: major * 10_000 + 14),
            position: WALPosition(timeline: 1, flushedLSN: LSN(rawValue: 1 << 20)))
    }

    func remove() { try? FileManager.default.removeItem(atPath: directory) }

    func advance(to lsn: LSN) { state.withLock { $0.position.flushedLSN = lsn } }

    /// The newest timeline ends at `switchLSN`, and `next` follows, durable to `flushedLSN`.
    func switchTimeline(to next: TimelineID, at switchLSN: LSN, flushedLSN: LSN, history: [UInt8]) {
        state.withLock {
            $0.ended[$0.position.timeline] = (next, switchLSN)
            $0.histories[next] = history
            $0.position = WALPosition(timeline: next, flushedLSN: flushedLSN)
        }
    }

    /// The bytes of timeline 1 in a range, from the files.
    func bytes(_ range: Range<UInt64>, timeline: TimelineID = 1) throws -> [UInt8] {
        var result: [UInt8] = []
        var lsn = range.lowerBound
        while lsn < range.upperBound {
            let segment = WALSegment(timeline: timeline, holding: LSN(rawValue: lsn), size: identity.segmentSize)
            let file = try Data(contentsOf: URL(fileURLWithPath: "\(directory)/\(segment.fileName)"))
            let start = Int(lsn - segment.startLSN.rawValue)
            let end = Int(min(range.upperBound, segment.endLSN.rawValue) - segment.startLSN.rawValue)
            result += file[start..<end]
            lsn += UInt64(end - start)
        }
        return result
    }

    // MARK: WALSource

    func position() -> WALPosition { state.withLock { $0.position } }

    func waitForWAL(beyond lsn: LSN, timeline: TimelineID) async throws {
        while true {
            let position = position()
            if position.timeline != timeline || position.flushedLSN > lsn { return }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    func status(of timeline: TimelineID) async throws -> TimelineStatus {
        state.withLock { state in
            if timeline == state.position.timeline { return .current }
            return state.ended[timeline].map { .ended(next: $0.next, switchLSN: $0.switchLSN) } ?? .unknown
        }
    }

    func history(of timeline: TimelineID) async throws -> [UInt8]? { state.withLock { $0.histories[timeline] } }

    func openSegment(_ segment: WALSegment) async throws -> WALSegmentFile {
        var candidates = [segment]
        // The last segment of a timeline that ended goes on in the next one's file.
        if let next = state.withLock({ $0.ended[segment.timeline]?.next }) {
            candidates.append(WALSegment(timeline: next, number: segment.number, size: segment.size))
        }
        for candidate in candidates {
            let descriptor = open("\(directory)/\(candidate.fileName)", O_RDONLY | O_CLOEXEC)
            if descriptor >= 0 { return WALSegmentFile(segment, descriptor: descriptor) }
        }
        throw WALSourceError.removed
    }

    func createSlot(_ name: String, isTemporary: Bool, reservesWAL: Bool) async throws {
        try state.withLock { state in
            guard state.slots[name] == nil else { throw WALSourceError.slotExists }
            guard state.slots.count < 4 else { throw WALSourceError.tooManySlots }
            let position = state.position
            state.slots[name] =
                reservesWAL
                ? WALSlot(restartLSN: position.flushedLSN, restartTimeline: position.timeline) : WALSlot()
        }
    }

    func slot(_ name: String) async throws -> WALSlot? { state.withLock { $0.slots[name] } }

    func dropSlot(_ name: String) async throws {
        try state.withLock { state in
            guard state.slots.removeValue(forKey: name) != nil else { throw WALSourceError.noSuchSlot }
        }
    }

    func confirm(slot name: String, flushedLSN: LSN) {
        state.withLock { $0.confirmed[name] = flushedLSN }
    }
}
