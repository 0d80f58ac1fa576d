import PostgresFormat
import Testing

/// A test that fails here ends the process. Its seeds are fixed, so that it does so again.
@Suite("Redo of what no server writes", .timeLimit(.minutes(10)))
struct RedoFuzzTests {
    private static let managers: [ResourceManager] = [
        .heap, .heap2, .btree, .hash, .gin, .gist, .spgist, .brin, .sequence, .generic, .xlog,
    ]

    @Test("random records and pages", arguments: managers, [14, 18])
    func random(manager: ResourceManager, major: Int) {
        RedoWorkshop.fuzz(manager: manager, major: major, seed: UInt64(major))
    }
}
