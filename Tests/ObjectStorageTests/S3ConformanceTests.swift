import TestSupport
import Testing

@testable import ObjectStorage

/// What every store does alike, done by real services.
@Suite("S3 does as every store", .timeLimit(.minutes(30)))
struct S3ConformanceTests {
    /// Where these services are not like Amazon's, and no client can make them so.
    private static let knownIssues: [S3TestService: [String: Comment]] = [
        .seaweed: [
            "keys are any text": "SeaweedFS takes a backslash for a slash",
            "a key with an empty part is another key, or refused": "SeaweedFS takes several slashes for one",
            "listings keep the byte order of whole keys":
                "SeaweedFS lists by directory: it goes on behind all of a/ when told to start behind a/",
        ],
        .swift: [
            "of sixteen that create, one wins":
                "Swift looks for the object before the body comes, and not again: of writers at one moment some may win"
        ],
    ]

    @Test("conforms", arguments: S3TestService.allCases, ConformanceCase.all)
    func conforms(service: S3TestService, one: ConformanceCase) async throws {
        let store = try await service.server.store(prefix: uniquePrefix())
        let target = ConformanceTarget(store: store, listedCount: TestSelection.allStorages ? 2500 : 120)
        try await Self.run(one, target, service: service)
        #expect(try await store.unfinishedUploads() == [])
    }

    /// A case that the service is known not to pass is tried all the same.
    static func run(_ one: ConformanceCase, _ target: ConformanceTarget, service: S3TestService) async throws {
        if let comment = knownIssues[service]?[one.name] {
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
