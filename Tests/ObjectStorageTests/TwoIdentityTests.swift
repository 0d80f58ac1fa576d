import StorageURI
import TestSupport
import Testing

@testable import ObjectStorage

/// Two roles in one process, each at a service of its own with keys that the other does not take.
@Suite("two storages, two identities", .timeLimit(.minutes(10)))
struct TwoIdentityTests {
    private static let pairs: [(S3TestService, S3TestService)] =
        [(.seaweed, .swift), (.swift, .seaweed)]
        + (TestSelection.allStorages ? [(.ceph, .swift), (.swift, .ceph)] : [])

    @Test("objects go from one to the other, each reached with its own keys only", arguments: pairs)
    func copy(from: S3TestService, to: S3TestService) async throws {
        let (theirs, ours) = (try await from.server, try await to.server)
        #expect(theirs.accessKeyID != ours.accessKeyID)
        let source = StorageLocation(scheme: .s3, container: theirs.bucket, path: uniquePrefix())
        let target = StorageLocation(scheme: .s3, container: ours.bucket, path: uniquePrefix())
        // One environment for both, as a process has it.
        let variables = theirs.environment(prefix: "SNAPSHOT_").merging(ours.environment(prefix: "STORAGE_")) { $1 }
            .merging(["S3_MAX_PART_SIZE": "5MiB"]) { $1 }
        func open(_ location: StorageLocation, _ role: StorageRole) throws -> any ObjectStore {
            try ObjectStores.open(location, environment: RoleEnvironment(variables, role: role))
        }
        let reading = try open(source, .snapshot)
        let sizes = [0, 1, 100_000, 4 << 20, 11 << 20]
        for (index, size) in sizes.enumerated() {
            let bytes = testBytes(size, seed: UInt64(index))
            try await reading.put(ObjectKey("objects/\(index) ü"), .bytes(bytes), mode: .createOnly)
        }
        let writing = try open(target, .storage)
        let totals = try await ObjectCopy(from: reading, to: writing, mode: .createOnly).copyAll()
        #expect(totals == .init(objectCount: sizes.count, byteCount: sizes.reduce(0, +)))
        for (index, size) in sizes.enumerated() {
            let bytes = testBytes(size, seed: UInt64(index))
            #expect(try await writing.get(ObjectKey("objects/\(index) ü"), range: nil) == bytes)
        }

        // Neither service knows the other's keys, and there is no falling back on them.
        for (location, server, other, role) in [
            (source, theirs, ours, StorageRole.snapshot), (target, ours, theirs, .storage),
        ] {
            var crossed = variables
            crossed["\(role.rawValue)AWS_ENDPOINT_URL"] = server.endpoint
            crossed["\(role.rawValue)AWS_ACCESS_KEY_ID"] = other.accessKeyID
            crossed["\(role.rawValue)AWS_SECRET_ACCESS_KEY"] = other.secretAccessKey
            let store = try ObjectStores.open(location, environment: RoleEnvironment(crossed, role: role))
            await expectFailure(.denied) { try await store.get("objects/1 ü", range: nil) }
        }
    }
}
