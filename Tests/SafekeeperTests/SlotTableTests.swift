import Foundation
import PostgresFormat
import ReplicationServer
import TestSupport
import Testing

@testable import Safekeeper

@Suite("A safekeeper's slots")
struct SlotTableTests {
    private let position = WALPosition(timeline: 1, flushedLSN: LSN(rawValue: 0x100_0000))

    @Test("those of many who come and go at the same moment are all kept, and their file is whole at every moment")
    func concurrently() async throws {
        let directory = try TemporaryDirectory()
        let file = directory.path + "/slots.json"
        let table = try SlotTable(file: file)
        try table.create("first", isTemporary: false, at: position)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<4 {
                group.addTask {
                    for round in 0..<15 {
                        try table.create("slot_\(number)_\(round)", isTemporary: false, at: position)
                        // As after a crash here.
                        #expect(try SlotTable(file: file)["slot_\(number)_\(round)"] != nil)
                        if round > 0 { try table.drop("slot_\(number)_\(round - 1)") }
                        table.confirm("first", position.flushedLSN, newest: position)
                        try table.save()
                    }
                }
            }
            try await group.waitForAll()
        }
        let kept = Set((0..<4).map { "slot_\($0)_14" } + ["first"])
        #expect(Set(table.all.keys) == kept)
        #expect(try SlotTable(file: file).all == table.all)
    }

    @Test("one that cannot be written is not there; temporary ones need no file")
    func noDisk() throws {
        let directory = try TemporaryDirectory()
        let file = directory.path + "/slots.json"
        let table = try SlotTable(file: file)
        try FileManager.default.createDirectory(atPath: file + "/in-the-way", withIntermediateDirectories: true)
        #expect(throws: (any Error).self) { try table.create("a", isTemporary: false, at: position) }
        #expect(table["a"] == nil)
        try table.create("b", isTemporary: true, at: position)
        try table.drop("b")
        #expect(table.all.isEmpty)
        try FileManager.default.removeItem(atPath: file)
        try table.create("a", isTemporary: false, at: position)
        try table.create("b", isTemporary: true, at: position)
        #expect(try Set(SlotTable(file: file).all.keys) == ["a"])
        #expect(throws: WALSourceError.slotExists) { try table.create("a", isTemporary: true, at: position) }
    }
}
