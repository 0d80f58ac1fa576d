import Synchronization

/// Where listings ended, and the service's marker that leads there or to a place before. Only the last few are kept: what is
/// not there is found by listing from the beginning.
final class AzureListingPlaces: Sendable {
    struct Place: Hashable, Sendable {
        let prefix: String
        let delimiter: String?
        let after: ObjectKey
    }

    /// Listings that go on at a time.
    private static let capacity = 64

    private struct State {
        var markers: [Place: String] = [:]
        /// The oldest first.
        var order: [Place] = []
    }
    private let state = Mutex(State())

    func marker(_ place: Place) -> String? { state.withLock { $0.markers[place] } }

    func note(_ place: Place, _ marker: String?) {
        guard let marker else { return }
        state.withLock { state in
            if state.markers.updateValue(marker, forKey: place) == nil { state.order.append(place) }
            if state.order.count > Self.capacity { state.markers[state.order.removeFirst()] = nil }
        }
    }
}
