public import Snapshots

/// The snapshot that a name means: `LATEST` or nothing is the newest; else a whole name, or the part of it after the
/// timeline.
///
/// - Throws: `RepositoryError.noSuchSnapshot`.
public func pickSnapshot(_ wanted: String?, from names: [SnapshotName], in place: String) throws -> SnapshotName {
    guard let newest = names.max(by: SnapshotName.precedes) else {
        throw RepositoryError.noSuchSnapshot("\(place) holds no snapshot")
    }
    guard let wanted, wanted != "LATEST" else { return newest }
    let found = names.filter { $0.description == wanted || $0.description == "\($0.timeline)_\(wanted)" }
    guard let found = found.first else {
        throw RepositoryError.noSuchSnapshot("\(place) has no snapshot \(wanted); the newest is \(newest)")
    }
    return found
}
