/// What the services let a bucket or container be called.
enum ContainerName {
    /// What is wrong with a name, in words that follow the location; nil when nothing is.
    ///
    /// For `s3` the rules of all services together: some still hold buckets with capitals, underscores and up to 255
    /// characters, which Amazon made no longer.
    static func problem(_ name: String, scheme: StorageScheme) -> String? {
        let word = scheme.containerWord
        guard !name.isEmpty else { return "has no \(word); write \(scheme.form)" }
        if scheme == .s3, name.contains(":") {
            return "has a “:” in the bucket's name; a service's host and port go into AWS_ENDPOINT_URL"
        }
        switch scheme {
        case .swift:
            guard name.utf8.count <= 256, !name.contains("/"), !name.unicodeScalars.contains(where: \.isUnprintable)
            else { return "has a container name longer than 256 bytes, or with a slash or control character in it" }
            return name == "." || name == ".." ? "has “\(name)” as its container" : nil
        case .azure where ["$root", "$web", "$logs"].contains(name): return nil
        default: break
        }
        let rule = rule(scheme)
        if let bad = name.unicodeScalars.first(where: {
            !rule.characters.contains(UInt8(truncatingIfNeeded: $0.value)) || !$0.isASCII
        }) {
            return "has \(shown(String(bad))) in the \(word)'s name, which may hold \(rule.words)"
        }
        guard rule.length.contains(name.utf8.count) else {
            return "has a \(word) name of \(name.utf8.count) characters; "
                + "it must have \(rule.length.lowerBound) to \(rule.length.upperBound)"
        }
        let ends = [name.first, name.last].compactMap(\.self)
        guard ends.allSatisfy({ $0.isLetter || $0.isNumber }) else {
            return "has a \(word) name that does not begin and end with a letter or digit"
        }
        if name.contains("..") || scheme == .azure && name.contains("--") {
            return "has two dots or hyphens in a row in the \(word)'s name"
        }
        return nil
    }

    private struct Rule {
        let characters: Set<UInt8>
        let words: String
        let length: ClosedRange<Int>
    }

    private static func rule(_ scheme: StorageScheme) -> Rule {
        let lowercase = Set("abcdefghijklmnopqrstuvwxyz0123456789-".utf8)
        return switch scheme {
        case .gs:
            Rule(
                characters: lowercase.union("._".utf8), words: "small letters, digits, “-”, “_” and “.”",
                length: 3...222)
        case .azure, .oss:
            Rule(characters: lowercase, words: "small letters, digits and “-”", length: 3...63)
        default:
            Rule(
                characters: lowercase.union("ABCDEFGHIJKLMNOPQRSTUVWXYZ._".utf8),
                words: "letters, digits, “-”, “_” and “.”", length: 3...255)
        }
    }

    /// Whether a bucket's name can be part of a host name, which virtual-host style needs. Over TLS a dot cannot: the
    /// certificate's wildcard stands for one label.
    static func fitsHostName(_ name: String, isEncrypted: Bool) -> Bool {
        (3...63).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
                    true
                case UInt8(ascii: "."): !isEncrypted
                default: false
                }
            }
    }
}
