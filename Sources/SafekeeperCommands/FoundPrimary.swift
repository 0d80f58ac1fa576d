import CommandKit
import ObjectStorage
import ReplicationClient
import Safekeeper
import WALStore

/// The primary, as it is found when a safekeeper is made.
struct FoundPrimary {
    let identity: ClusterIdentity
    /// As the primary shows it.
    let version: String
    /// 150004 is 15.4.
    let versionNumber: Int
    let address: String
    /// Where its WAL ended before the slot was made; nil where it is not there.
    var end: WALStore.Position?

    /// Connects to the primary, and makes the slot there, so that no WAL is missed from now on.
    ///
    /// - Throws: `CommandFailure` when it is another cluster than the archive's; `ReplicationError`.
    static func find(_ source: WALReceiver.Source, expecting place: ArchivePlace) throws -> FoundPrimary {
        let connection = try ReplicationConnection(source.connectionInfo, applicationName: source.name)
        let system = try connection.identifySystem()
        if let expected = place.systemIdentifier, expected != system.identifier {
            throw CommandFailure(
                .failed,
                "\(place.store.location) holds the cluster with system identifier \(expected), and "
                    + "\(connection.address) is \(system.identifier)",
                hint: "give each cluster a prefix of its own")
        }
        let found = FoundPrimary(
            identity: ClusterIdentity(
                systemIdentifier: system.identifier, segmentSize: try connection.walSegmentSize(),
                major: connection.serverVersion / 10_000),
            version: try connection.show("server_version"), versionNumber: connection.serverVersion,
            address: connection.address,
            end: WALStore.Position(timeline: system.timeline, flushed: system.flushed))
        do { try connection.createSlot(source.slot) } catch {
            guard error.isDuplicate else { throw error }
        }
        return found
    }

    /// What a repository tells of a primary that is not there yet; nil where there is no repository.
    static func expected(by place: ArchivePlace) -> FoundPrimary? {
        guard let systemIdentifier = place.systemIdentifier, let segmentSize = place.segmentSize,
            let major = place.postgresMajor
        else { return nil }
        return FoundPrimary(
            identity: ClusterIdentity(systemIdentifier: systemIdentifier, segmentSize: segmentSize, major: major),
            version: "\(major)", versionNumber: major * 10_000, address: "")
    }
}
