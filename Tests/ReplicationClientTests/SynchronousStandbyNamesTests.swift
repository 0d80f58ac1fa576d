import ReplicationClient
import Testing

@Suite struct SynchronousStandbyNamesTests {
    @Test(arguments: [
        ("", 1, false, []),
        ("sk1", 1, false, ["sk1"]),
        ("*", 1, false, ["*"]),
        ("sk1, SK2,sk3", 1, false, ["sk1", "sk2", "sk3"]),
        ("2 (sk1, sk2)", 2, false, ["sk1", "sk2"]),
        ("FIRST 2 (sk1,sk2,sk3)", 2, false, ["sk1", "sk2", "sk3"]),
        ("any 2 (sk1, \"a, b\", \"x\"\"y\")", 2, true, ["sk1", "a, b", "x\"y"]),
        ("ANY 1(*)", 1, true, ["*"]),
        ("any, first", 1, false, ["any", "first"]),
    ])
    func whatServersTake(_ text: String, _ count: Int, _ isQuorum: Bool, _ names: [String]) throws {
        let parsed = try #require(SynchronousStandbyNames(text))
        #expect(parsed.count == count && parsed.isQuorum == isQuorum && parsed.names == names)
    }

    @Test(arguments: [
        "sk1,", ",sk1", "2 (sk1", "2 ()", "0 (sk1)", "ANY (sk1)", "FIRST sk1", "\"open", "\"\"", "a b", "(a)", "2 (a))",
        "any 2 sk1", "99999999999999999999 (a)", "a;b",
    ])
    func whatServersDoNotTake(_ text: String) { #expect(SynchronousStandbyNames(text) == nil) }

    @Test func namesAreComparedWithoutCase() throws {
        let names = try #require(SynchronousStandbyNames("ANY 1 (Sk1, other)"))
        #expect(names.contains("SK1") && !names.contains("sk"))
        #expect(try #require(SynchronousStandbyNames("*")).contains("sk"))
    }
}
