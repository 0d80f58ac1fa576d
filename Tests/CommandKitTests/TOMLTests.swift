import TestSupport
import Testing

@testable import CommandKit

@Suite struct TOMLTests {
    @Test(
        "values",
        arguments: [
            (#""a\tb\u00e9\U0001F600\"\\""#, .string("a\tbé😀\"\\")), (#"'C:\dir'"#, .string(#"C:\dir"#)),
            ("\"\"\"\none\r\ntwo \\\n   three\"\"\"\"", .string("one\ntwo three\"")), ("'''a\n'b'''", .string("a\n'b")),
            ("42", .integer(42)), ("-17", .integer(-17)), ("+1_000", .integer(1000)),
            ("0xDEAD_beef", .integer(0xDEAD_BEEF)),
            ("0o755", .integer(0o755)), ("0b1010", .integer(10)), ("0", .integer(0)), ("3.5", .float(3.5)),
            ("-2E-2", .float(-0.02)), ("0.5", .float(0.5)), ("inf", .float(.infinity)), ("true", .boolean(true)),
            ("false", .boolean(false)), ("1979-05-27", .dateTime("1979-05-27")),
            ("1979-05-27 07:32:00Z", .dateTime("1979-05-27 07:32:00Z")),
            ("1979-05-27T07:32:00-07:00", .dateTime("1979-05-27T07:32:00-07:00")), ("07:32:00", .dateTime("07:32:00")),
            ("[1, 'a', [true], # c\n ]", .array([.integer(1), .string("a"), .array([.boolean(true)])])),
            ("{ a.b = 1, \"c d\" = 'x' }", .table(["a": .table(["b": .integer(1)]), "c d": .string("x")])),
            ("{}", .table([:])), ("[]", .array([])),
        ] as [(String, TOMLValue)])
    func values(text: String, value: TOMLValue) {
        let document = TOMLDocument("key = \(text) # comment\nafter = 1")
        #expect(document.faults == [])
        #expect(document.entries.map(\.value) == [value, .integer(1)])
    }

    @Test(
        "no values",
        arguments: [
            "", "x", "01", "1__0", "_1", "1_", "1.", ".5", "1.e5", "0x", "0x-1", "\"a", "'a", "\"\\q\"", "\"\\ud800\"",
            "[1", "[1 2]", "{a}", "{a=1", "{a=1, a=2}", "{a=1,}", "99999999999999999999", "1 2", "\"a\" b", "\"\u{1}\"",
            "'''", "\"\"\"a", "1979-05-27T", "TRUE", "[,]",
        ])
    func noValues(text: String) {
        let document = TOMLDocument("key = \(text)")
        // A date that is cut short is left to who uses it; all else is a fault.
        #expect(document.faults.count >= 1 || document.entries.first?.value == .dateTime(text))
    }

    @Test("keys, tables and arrays of tables have their paths")
    func paths() {
        let document = TOMLDocument(
            """
            a = 1
            b.c = 2
            "d e".'f' = 3
            [t]
            x = 4
            [t.u]
            x = 5
            [[s]]
            x = 6
            [[ s ]]
            x = 7
            [s.z]
            y = 8\r

            """)
        #expect(document.faults == [])
        #expect(
            document.entries.map { "\($0.line) \($0.path.joined(separator: "/"))" } == [
                "1 a", "2 b/c", "3 d e/f", "5 t/x", "7 t/u/x", "9 s/0/x", "11 s/1/x", "13 s/1/z/y",
            ])
    }

    @Test(
        "what is given twice is a fault on its second line",
        arguments: [
            "a = 1\na = 2", "a = 1\n[a]", "[a]\n[a]", "a.b = 1\n[a]", "[a.b]\n[a]\n[a]", "a = 1\na.b = 2",
            "[[a]]\n[a]", "[a]\n[[a]]", "a = 1\n[a.b]", "a = {}\n[a.b]", "[a]\nb = 1\n[a.b]",
        ])
    func twice(text: String) {
        let faults = TOMLDocument(text).faults
        #expect(faults.map(\.line) == [text.split(separator: "\n").count])
    }

    @Test("a table may be opened after the one inside it")
    func superTable() { #expect(TOMLDocument("[a.b]\n[a]\nx = 1").faults == []) }

    @Test("any text gives entries or faults, never a trap")
    func anyText() {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededGenerator(seed: seed)
        let pieces = [
            "key", "=", "\"", "[", "]", "1", "\n", "\r\n", ".", "{", "}", "#", "'", "\\", "\u{0}", "é", "1979-05-27",
            ",",
            "-", "inf", "\"\"\"", "'''", " ", "\\u", "0x", "_", "\u{FEFF}", "e", "07:32:00",
        ]
        for _ in 0..<20_000 {
            let text = (0..<Int.random(in: 0...20, using: &random)).map { _ in pieces.randomElement(using: &random)! }
                .joined()
            let document = TOMLDocument(text)
            let lines = text.utf8.count { $0 == 10 } + 1
            #expect(
                document.faults.allSatisfy { (1...lines).contains($0.line) } && document.entries.count <= lines,
                "seed \(seed): \(text.debugDescription)")
        }
        let deep = TOMLDocument("a = " + String(repeating: "[", count: 100_000))
        #expect(deep.faults.count == 1)
    }
}
