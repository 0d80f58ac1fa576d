import Testing

@testable import StorageURI

@Suite("command lines in words")
struct CommandWordsTests {
    /// What Python's `shlex.split` makes of them, by which Amazon's Python library takes such lines apart.
    @Test(
        "quotes and backslashes count, and nothing else does",
        arguments: [
            ("/usr/bin/keys --profile backup", ["/usr/bin/keys", "--profile", "backup"]),
            ("  a \t b\n", ["a", "b"]),
            (#"'/opt/my tools/keys' "two words" x\ y"#, ["/opt/my tools/keys", "two words", "x y"]),
            (#"a"b c"d'e f'g"#, ["ab cde fg"]),
            (#""" '' x"#, ["", "", "x"]),
            (#""\"quoted\" \\ \n \$HOME""#, [#""quoted" \ \n \$HOME"#]),
            (#"'\"' '\\' '$HOME' "'" "it's""#, [#"\""#, #"\\"#, "$HOME", "'", "it's"]),
            (#"sh -c "echo '{}' | cat" # no comment"#, ["sh", "-c", "echo '{}' | cat", "#", "no", "comment"]),
            (#"\a\'\" $(date) `date` *"#, [#"a'""#, "$(date)", "`date`", "*"]),
            ("ключ=“значение”", ["ключ=“значение”"]),
            ("", []),
        ])
    func words(text: String, words: [String]) throws {
        #expect(try CommandWords.split(text) == words)
    }

    @Test("what is cut short is refused", arguments: [#"a "b"#, "a 'b", #"a\"#, #""a\"#])
    func faults(text: String) {
        #expect(throws: CommandWords.Fault.self) { try CommandWords.split(text) }
    }
}
