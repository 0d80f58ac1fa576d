import FoundationEssentials
import StorageURI
import Synchronization

/// The container beside an object's own that the segments of large objects lie in: `NAME_segments`.
final class SwiftSegmentContainer: Sendable {
    let name: String
    private let client: SwiftClient
    private let isThere = Atomic(false)

    private static let removalsAtOnce = 8

    init(client: SwiftClient) {
        self.client = client
        name = client.container + "_segments"
    }

    func object(_ name: String) -> SwiftOperation.Target { .object(container: self.name, key: name) }

    /// Makes the container, where it is not there, like that of the objects: kept in the same way, and to be read by
    /// the same people, who could not read the objects otherwise.
    func make() async throws(ServiceFailure) {
        if isThere.load(ordering: .relaxed) { return }
        do throws(ServiceFailure) {
            let target = SwiftOperation.Target.container(name)
            do throws(ServiceFailure) {
                _ = try await client.perform(SwiftOperation(method: "HEAD", target: target))
            } catch {
                guard error.code == .notFound else { throw error }
                let main = try await client.perform(
                    SwiftOperation(method: "HEAD", target: .container(client.container)))
                var operation = SwiftOperation(method: "PUT", target: target)
                for header in ["X-Storage-Policy", "X-Container-Read"] {
                    guard let value = main.headers[header.lowercased()] else { continue }
                    operation.headers.append((header, value))
                }
                _ = try await client.perform(operation)
            }
        } catch {
            var failure = error
            // It is not the storage's own container that is not there, or closed to us.
            failure.isContainerMissing = false
            failure.detail += "; container \(name), for the segments of large objects"
            throw failure
        }
        isThere.store(true, ordering: .relaxed)
    }

    /// Removes segments, as far as it goes: nothing that goes wrong here changes what the caller is told.
    func remove(_ names: [String]) async {
        await withTaskGroup(of: Void.self) { group in
            for (index, name) in names.enumerated() {
                if index >= Self.removalsAtOnce { await group.next() }
                group.addTask { [self] in
                    do throws(ServiceFailure) {
                        _ = try await client.perform(SwiftOperation(method: "DELETE", target: object(name)))
                    } catch {
                        return  // removed before, or not reachable
                    }
                }
            }
        }
    }

    private struct Entry: Codable {
        var name: String?
        var path: String?
        var etag: String?
        var byteCount: Int?

        enum CodingKeys: String, CodingKey {
            case name, path, etag
            case byteCount = "size_bytes"
        }
    }

    /// The names of the segments in a manifest that lie here.
    func names(inManifest body: [UInt8]) -> [String] {
        let entries = (try? JSONDecoder().decode([Entry].self, from: Data(body))) ?? []
        let start = "/\(name)/"
        return entries.compactMap { entry in
            guard let path = entry.name ?? entry.path, path.utf8.starts(with: start.utf8) else { return nil }
            return String(decoding: path.utf8.dropFirst(start.utf8.count), as: UTF8.self)
        }
    }

    /// A manifest of segments that lie here.
    func manifest(_ segments: [SwiftSegment]) throws(ServiceFailure) -> [UInt8] {
        let entries = segments.map {
            Entry(path: "/\(name)/\($0.name)", etag: $0.etag, byteCount: $0.byteCount)
        }
        do { return [UInt8](try JSONEncoder().encode(entries)) } catch {
            throw ServiceFailure(.invalid, "the manifest cannot be written: \(error)")
        }
    }
}

/// A part of a large object, once it is there.
struct SwiftSegment: Sendable {
    let name: String
    let etag: String
    let byteCount: Int
}
