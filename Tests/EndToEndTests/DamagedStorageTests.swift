import Foundation
import Glibc
import TestSupport
import Testing

/// What damage in a storage does to those who read it, and to where they write.
@Suite("damage in a storage, with nothing left locally")
struct DamagedStorageTests {
    @Test("an export of either kind blames the snapshot, and never looks whole", arguments: ["gone", "cut", "flipped"])
    func exports(how: String) throws {
        let work = try Workplace.stored()
        let pack = try #require(try work.packs().first)
        switch how {
        case "gone": try FileManager.default.removeItem(atPath: pack)
        case "cut": try cut(pack, at: 9000)
        default: try flip(pack, at: 40_000)
        }
        for format in ["pgdata", "zenith"] {
            let target = work.path + "/" + format
            try work.fail(
                ["export", "--snapshot-path", target, "--snapshot-format", format], 65,
                (pack as NSString).lastPathComponent)
            let written = FileManager.default.enumerator(atPath: target)?.compactMap { $0 as? String } ?? []
            #expect(!written.contains("PG_VERSION") && !written.contains("global/pg_control"))
            #expect(!written.contains { $0.hasSuffix("/manifest") })
        }
    }

    @Test("create and delete answer in JSON too")
    func json() throws {
        let work = try Workplace.stored()
        let created = try EndToEndTests.json(work.succeed("snapshot", "create", "--json"))
        let name = try #require(created["name"] as? String)
        let deleted = try EndToEndTests.json(work.succeed("snapshot", "delete", name, "--json"))
        #expect(deleted["deleted"] as? String == name)
        #expect(try work.succeed("snapshot", "list", "--json").filter { !$0.isWhitespace } == "[]")
    }
}
