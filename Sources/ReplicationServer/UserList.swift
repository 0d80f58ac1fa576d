import PostgresFormat
public import StorageURI

/// A text that names those who may connect, in the form of pgbouncer's `userlist.txt`: a line for each, the name and
/// the verifier in double quotes.
///
///     "replicator" "SCRAM-SHA-256$4096:…$…:…"
///
/// Lines that begin with `;` or `#` are comments. A quote within quotes is doubled. Passwords in plain text or MD5 are
/// refused: what is in this file lets nobody in by itself.
public enum UserList {
    /// Why a text is no list of users.
    public struct Fault: Error, CustomStringConvertible {
        /// Beginning with 1.
        public let line: Int
        /// It shows no verifier.
        public let reason: String
        public var description: String { "line \(line): \(reason)" }
    }

    public static func parse(_ text: Secret) throws(Fault) -> [String: SCRAMVerifier] {
        var users: [String: SCRAMVerifier] = [:]
        for (index, content) in text.reveal().split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            var rest = content.drop(while: \.isWhitespace)
            guard let first = rest.first, first != ";", first != "#" else { continue }
            guard let name = takeQuoted(&rest), !name.isEmpty else {
                throw Fault(line: index + 1, reason: "does not begin with a user's name in double quotes")
            }
            rest = rest.drop(while: \.isWhitespace)
            guard let password = takeQuoted(&rest) else {
                throw Fault(line: index + 1, reason: "has no verifier in double quotes behind the name")
            }
            guard let verifier = SCRAMVerifier(Secret(password)) else {
                throw Fault(
                    line: index + 1,
                    reason: "what stands behind \"\(printable(name))\" is not of SCRAM-SHA-256, as "
                        + "pg_authid.rolpassword holds it")
            }
            guard users.updateValue(verifier, forKey: name) == nil else {
                throw Fault(line: index + 1, reason: "\"\(printable(name))\" is there twice")
            }
        }
        return users
    }
}
