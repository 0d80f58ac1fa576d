/// Where a storage is: the parsed and normalized form of `s3://bucket/prefix`, `file:///path`, ….
public struct StorageLocation: Hashable, Sendable {
    public let scheme: StorageScheme
    /// The bucket, container or host (IPv6 without brackets); empty for `file`.
    public let container: String
    /// The prefix below it, without slashes at either end; for `file` and `ssh` an absolute path. Not percent-encoded.
    public let path: String
    /// For `ssh`: who to log in as, where the location says so.
    public let user: String?
    /// For `ssh`: the port, where the location says so.
    public let port: Int?

    /// Takes the parts as they are, unchecked.
    public init(scheme: StorageScheme, container: String, path: String) {
        self.init(scheme: scheme, container: container, path: path, user: nil, port: nil)
    }

    public init(scheme: StorageScheme, container: String, path: String, user: String?, port: Int?) {
        self.scheme = scheme
        self.container = container
        self.path = path
        self.user = user
        self.port = port
    }
}

extension StorageLocation: CustomStringConvertible {
    /// The URI in its one normal form. Parsing it gives the same location.
    public var description: String {
        var text = "\(scheme.rawValue)://"
        if let user { text += "\(PercentEncoding.encode(user))@" }
        if scheme == .ssh, container.contains(":") {
            text += "[\(container)]"
        } else {
            text += PercentEncoding.encode(container, keeping: "$")
        }
        if let port { text += ":\(port)" }
        if !path.isEmpty, !path.hasPrefix("/") { text += "/" }
        return text + Self.encodedPath(path)
    }

    /// The characters that RFC 3986 lets stand in a path, and letters of other scripts, stay as they are, so that the
    /// text can be read.
    private static func encodedPath(_ path: String) -> String {
        var encoded = ""
        for scalar in path.unicodeScalars {
            let stays =
                scalar.isASCII
                ? PercentEncoding.isUnreserved(UInt8(scalar.value)) || "/!$&'()*+,;=:@".unicodeScalars.contains(scalar)
                : !scalar.isUnprintable && !scalar.properties.isWhitespace
            if stays {
                encoded.unicodeScalars.append(scalar)
            } else {
                encoded += PercentEncoding.encode(String(scalar))
            }
        }
        return encoded
    }
}

extension Unicode.Scalar {
    /// True for what has no place in a location or a message: control and format characters, line separators, and
    /// U+FFFD, which is what is left of bytes that are not UTF-8.
    var isUnprintable: Bool {
        if value == 0xFFFD { return true }
        return switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned, .privateUse: true
        default: false
        }
    }
}
