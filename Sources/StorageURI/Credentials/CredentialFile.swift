/// Files that hold secrets, named by variables or by other files.
enum CredentialFile {
    /// A file's whole text.
    ///
    /// - Parameter name: The variable or setting that names the file, for messages.
    static func text(_ path: String, named name: String) throws(CredentialSourceFailure) -> String {
        do throws(TextFile.Failure) { return try TextFile.read(path) } catch {
            switch error {
            case .missing: throw CredentialSourceFailure(name, "no such file: \(shown(path))")
            case .unreadable(let why): throw CredentialSourceFailure(name, "\(shown(path)): \(why)")
            }
        }
    }

    /// A token, alone in its file. It may be replaced at any time, so it is read at each use.
    static func token(_ path: String, named name: String) throws(CredentialSourceFailure) -> Secret {
        let words = try text(path, named: name).split(whereSeparator: \.isWhitespace)
        guard words.count == 1 else { throw CredentialSourceFailure(name, "\(shown(path)) does not hold one token") }
        return Secret(String(words[0]))
    }
}
