import TestSupport
import Testing

@testable import ObjectStorage

/// What every store does alike, done by two emulators, each for what it does right.
@Suite("Google Cloud Storage does as every store", .timeLimit(.minutes(30)))
struct GoogleCloudConformanceTests {
    /// Where these emulators are not like Google's service, and no client can make them so.
    private static let knownIssues: [GoogleTestService: [String: Comment]] = [
        .emulator: [
            "objects of every size come back as they were put":
                "gcp-storage-emulator answers a range that begins at an object's end with one of less than no bytes",
            "ranges are cut off at the object's end": "the same",
            "of sixteen that create, one wins": "gcp-storage-emulator ignores ifGenerationMatch",
            "a key with an empty part is another key, or refused":
                "gcp-storage-emulator takes several slashes for one",
        ],
        .bench: [
            "objects of every size come back as they were put": "storage-testbench gives no size for an empty object",
            "ranges are cut off at the object's end": "the same", "pieces of any size make one object": "the same",
        ],
    ]

    @Test("conforms", arguments: GoogleTestService.allCases, ConformanceCase.all)
    func conforms(service: GoogleTestService, one: ConformanceCase) async throws {
        let store = try await service.store(prefix: uniquePrefix())
        let target = ConformanceTarget(
            store: store, partBytes: GoogleTestService.chunkBytes,
            // The emulator takes few connections at a time, and pages nothing.
            listedCount: TestSelection.allStorages && service != .emulator ? 2500 : 120)
        if let comment = Self.knownIssues[service]?[one.name] {
            await withKnownIssue(comment, isIntermittent: true) { try await one.run(target) }
        } else {
            try await one.run(target)
        }
    }

    @Test("the names of known issues are those of cases")
    func names() {
        let names = Set(ConformanceCase.all.map(\.name))
        for issue in Self.knownIssues.values.flatMap(\.keys) { #expect(names.contains(issue)) }
    }
}
