/// Numbers of SFTP version 3, by draft-ietf-secsh-filexfer-02.
enum SFTPNumber {
    static let version: UInt32 = 3
    /// Flags of `open`.
    static let read: UInt32 = 1
    static let write: UInt32 = 2
    static let create: UInt32 = 8
    static let exclusive: UInt32 = 32
    /// Which attributes are there.
    static let hasSize: UInt32 = 1
    static let hasOwner: UInt32 = 2
    static let hasPermissions: UInt32 = 4
    static let hasTimes: UInt32 = 8
    static let hasExtended: UInt32 = 1 << 31
}

/// What a message is.
enum SFTPKind: UInt8 {
    case initialize = 1
    case version = 2
    case open = 3
    case close = 4
    case read = 5
    case write = 6
    case linkStatus = 7
    case fileStatus = 8
    case setStatus = 9
    case openDirectory = 11
    case readDirectory = 12
    case remove = 13
    case makeDirectory = 14
    case removeDirectory = 15
    case pathStatus = 17
    case rename = 18
    case status = 101
    case handle = 102
    case data = 103
    case names = 104
    case attributes = 105
    case extended = 200
    case extendedReply = 201
}

/// What a file is, as far as the server tells.
struct SFTPAttributes: Sendable, Equatable {
    var sizeBytes: Int?
    var permissions: UInt32?
    var modified: UInt32?

    private static let typeMask: UInt32 = 0o170000
    var isDirectory: Bool { permissions.map { $0 & Self.typeMask == 0o040000 } ?? false }
    var isRegularFile: Bool { permissions.map { $0 & Self.typeMask == 0o100000 } ?? false }
}

/// A message in the making.
struct SFTPWriter {
    private var message: [UInt8]

    /// - Parameter id: By which the answer is known; nil for the first message, which has none.
    init(_ kind: SFTPKind, id: UInt32?, capacity: Int = 256) {
        message = []
        message.reserveCapacity(capacity)
        message.append(contentsOf: [0, 0, 0, 0, kind.rawValue])
        if let id { put(id) }
    }

    mutating func put(_ number: UInt32) {
        withUnsafeBytes(of: number.bigEndian) { message.append(contentsOf: $0) }
    }

    mutating func put(_ number: UInt64) {
        withUnsafeBytes(of: number.bigEndian) { message.append(contentsOf: $0) }
    }

    mutating func put(_ text: String) {
        put(UInt32(text.utf8.count))
        message.append(contentsOf: text.utf8)
    }

    mutating func put(_ bytes: some Collection<UInt8>) {
        put(UInt32(bytes.count))
        message.append(contentsOf: bytes)
    }

    /// Attributes that give the permissions alone.
    mutating func put(permissions: UInt32?) {
        put(permissions == nil ? 0 : SFTPNumber.hasPermissions)
        if let permissions { put(permissions) }
    }

    /// The whole message, its length before it.
    func finish() -> [UInt8] {
        var message = message
        withUnsafeBytes(of: UInt32(message.count - 4).bigEndian) { message.replaceSubrange(0..<4, with: $0) }
        return message
    }
}

/// Reads a message. Each call gives nil where the message is too short for it.
struct SFTPReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    mutating func byte() -> UInt8? { rest.popFirst() }

    mutating func number() -> UInt32? {
        guard rest.count >= 4 else { return nil }
        defer { rest.removeFirst(4) }
        return rest.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
    }

    mutating func largeNumber() -> UInt64? {
        guard let high = number(), let low = number() else { return nil }
        return UInt64(high) << 32 | UInt64(low)
    }

    mutating func bytes() -> ArraySlice<UInt8>? {
        guard let count = number(), count <= rest.count else { return nil }
        defer { rest.removeFirst(Int(count)) }
        return rest.prefix(Int(count))
    }

    mutating func attributes() -> SFTPAttributes? {
        guard let flags = number() else { return nil }
        var attributes = SFTPAttributes()
        if flags & SFTPNumber.hasSize != 0 {
            guard let size = largeNumber().flatMap({ Int(exactly: $0) }) else { return nil }
            attributes.sizeBytes = size
        }
        if flags & SFTPNumber.hasOwner != 0 { guard number() != nil, number() != nil else { return nil } }
        if flags & SFTPNumber.hasPermissions != 0 {
            guard let permissions = number() else { return nil }
            attributes.permissions = permissions
        }
        if flags & SFTPNumber.hasTimes != 0 {
            guard number() != nil, let modified = number() else { return nil }
            attributes.modified = modified
        }
        if flags & SFTPNumber.hasExtended != 0 {
            guard let count = number(), count <= 1024 else { return nil }
            for _ in 0..<count { guard bytes() != nil, bytes() != nil else { return nil } }
        }
        return attributes
    }

    /// What is left.
    var remainder: ArraySlice<UInt8> { rest }
}

/// How a server says that something did not work.
struct SFTPStatus: Equatable, Sendable {
    enum Code: UInt32, Sendable {
        case ok = 0
        case endOfFile = 1
        case noSuchFile = 2
        case permissionDenied = 3
        case failure = 4
        case badMessage = 5
        case noConnection = 6
        case connectionLost = 7
        case unsupported = 8
        // Of later versions, which some servers send all the same.
        case alreadyExists = 11
        case writeProtected = 12
        case noSpace = 14
        case quotaExceeded = 15
    }
    /// One that is unknown counts as `failure`.
    let code: Code
    let message: String

    var isOK: Bool { code == .ok }
}

/// An answer.
enum SFTPReply {
    case status(SFTPStatus)
    case handle([UInt8])
    case data(ArraySlice<UInt8>)
    case names([(name: [UInt8], attributes: SFTPAttributes)])
    case attributes(SFTPAttributes)
    case extended([UInt8])

    /// Nil for what is no answer.
    init?(_ kind: SFTPKind, _ content: ArraySlice<UInt8>) {
        var reader = SFTPReader(content)
        switch kind {
        case .status:
            guard let code = reader.number() else { return nil }
            let message = reader.bytes() ?? []
            self = .status(
                SFTPStatus(
                    code: SFTPStatus.Code(rawValue: code) ?? .failure, message: String(decoding: message, as: UTF8.self)
                ))
        case .handle:
            guard let handle = reader.bytes(), handle.count <= 256 else { return nil }
            self = .handle(Array(handle))
        case .data:
            guard let data = reader.bytes() else { return nil }
            self = .data(data)
        case .names:
            guard let count = reader.number(), count <= content.count else { return nil }
            var names: [(name: [UInt8], attributes: SFTPAttributes)] = []
            for _ in 0..<count {
                guard let name = reader.bytes(), reader.bytes() != nil, let attributes = reader.attributes() else {
                    return nil
                }
                names.append((Array(name), attributes))
            }
            self = .names(names)
        case .attributes:
            guard let attributes = reader.attributes() else { return nil }
            self = .attributes(attributes)
        case .extendedReply: self = .extended(Array(reader.remainder))
        default: return nil
        }
    }
}
