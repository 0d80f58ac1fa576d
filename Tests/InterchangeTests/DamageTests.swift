import Foundation
import Interchange
import ObjectStorage
import PostgresFormat
import SystemPackage
import TestSupport
import Testing

@testable import Snapshots

/// A snapshot of a real cluster, damaged where it is kept: locally, in the repository, in both.
@Suite("damaged packs", .timeLimit(.minutes(30)))
struct DamageTests {
    private enum Damage: CaseIterable {
        case flipped, truncated, missing

        func apply(to path: String) throws {
            switch self {
            case .flipped: try flip(path, at: 1000)
            case .truncated: try shell("truncate", "-s", "1000", path)
            case .missing: try FileManager.default.removeItem(atPath: path)
            }
        }
    }

    @Test("storage repairs the local copy; what is damaged in both is named")
    func damage() async throws {
        let workshop = try Workshop()
        let whole = try await workshop.importingFresh()
        let manifest = whole.manifest
        let sound = try await workshop.export(whole, to: "sound")
        let store = FileObjectStore(root: workshop.directory + "/repository")
        let writer = try await RepositoryWriter.create(
            store,
            identity: RepositoryIdentity(
                systemIdentifier: manifest.identity.systemIdentifier, postgresMajor: 15, walSegmentBytes: 16 << 20,
                claim: "test"))
        try await writer.createTimeline(TimelineInfo(id: manifest.identity.timeline, name: "main"))
        let directory = workshop.local.directory(of: manifest.name)
        try await writer.push(manifest, from: directory, progress: NoProgress()) {}
        let repository = writer.repository
        func verify() async throws -> [String] {
            try await SnapshotVerification(manifest, in: repository).run(pool: workshop.pool, progress: NoProgress())
                .faults
        }
        #expect(try await verify() == [])

        let pack = manifest.packs[0]
        let here = directory.appending(pack.name).string
        let key = Repository.key(manifest.name, pack.name)
        let there = workshop.directory + "/repository/" + key.text
        let content = try #require(FileManager.default.contents(atPath: here))
        for damage in Damage.allCases {
            try damage.apply(to: here)
            // Not in storage: the local file is named.
            await #expect {
                try await workshop.export(whole, to: "lost-\(damage)")
            } throws: { "\($0)".contains("\(here) is missing or damaged") }
            #expect(!exists(workshop.directory + "/lost-\(damage)/PG_VERSION"))

            let cache = FrameCache(root: workshop.local.root, limitBytes: 1 << 30)
            let reader = SnapshotReader(manifest: manifest, local: directory, repository: repository, cache: cache)
            let export = try await workshop.export(reader, to: "export-\(damage)")
            try shell("diff", "-r", sound, export)
            #expect(reader.cacheProblem == nil)
            // Every frame of it is kept: now it is read without storage.
            try shell("diff", "-r", sound, await workshop.export(whole, to: "kept-\(damage)"))
            #expect(FileManager.default.contents(atPath: here) == content)

            try damage.apply(to: here)
            try shell("cp", "-a", there, there + "-saved")
            try damage.apply(to: there)
            await #expect {
                try await workshop.export(reader, to: "nowhere-\(damage)")
            } throws: { error in
                guard case RepositoryError.damaged(let text) = error else { return false }
                return text.contains(key.text)
            }
            let faults = try await verify()
            #expect(!faults.isEmpty && faults.allSatisfy { $0.contains(pack.name) }, "\(faults)")
            try shell("mv", there + "-saved", there)
            try content.write(to: URL(fileURLWithPath: here))
        }
        #expect(try await verify() == [])
    }
}
