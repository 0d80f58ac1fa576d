/// SFTP version 3 over one connection: sends requests, also several before the first answer, and matches the answers.
///
/// The protocol is spoken here, and not left to libcurl or libssh2, since neither can do what the storage rests on:
/// replace a file in one step, create one only if there is none, and have data on disk before it gets its name. These
/// are extensions of OpenSSH's (`posix-rename`, `hardlink`, `fsync`). libcurl 7.88 renames only where nothing is in
/// the way, gives listings as text for people, which a line break in a name makes ambiguous, and finds the agent by
/// the process's own environment, so that two storages cannot have different ones. libssh2 1.10 knows `fsync` only.
///
/// - Note: `@unchecked`, as it moves between threads: it has one owner at a time.
final class SFTPConnection: @unchecked Sendable {
    private let session: SSHSession
    private var extensions: Set<String> = []
    private var nextID: UInt32 = 0
    /// What was received and not yet taken, from `start` on.
    private var incoming: [UInt8] = []
    private var start = 0
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
    /// Answers that came before they were waited for.
    private var arrived: [UInt32: SFTPReply] = [:]
    /// Requests whose answers nobody waits for any more.
    private var ignored: Set<UInt32> = []

    /// More than any answer that is asked for.
    private static let messageLimit = 1 << 20

    var isBroken: Bool { session.isBroken }

    /// Whether a connection that was not used for a while can be used again.
    var isAlive: Bool {
        guard !isBroken, arrived.isEmpty else { return false }
        do throws(ServiceFailure) {
            while true {
                let received = try session.receiveAvailable(into: buffer)
                if received == 0 { return true }
                incoming.append(contentsOf: buffer[..<received])
                // Answers that nobody waits for any more.
                while let length = try nextLength(), incoming.count - start >= 4 + length {
                    let (_, content) = try message()
                    var reader = SFTPReader(content)
                    guard let id = reader.number(), ignored.remove(id) != nil else { return false }
                }
            }
        } catch { return false }
    }

    enum Extension: String {
        case posixRename = "posix-rename@openssh.com"
        case hardLink = "hardlink@openssh.com"
        case sync = "fsync@openssh.com"
        case fileSystemStatus = "statvfs@openssh.com"
    }

    func offers(_ feature: Extension) -> Bool { extensions.contains(feature.rawValue) }

    /// - Parameter session: Newly logged in.
    init(_ session: SSHSession) throws(ServiceFailure) {
        self.session = session
        var hello = SFTPWriter(.initialize, id: nil)
        hello.put(SFTPNumber.version)
        try session.send(hello.finish())
        let (kind, content) = try message()
        var reader = SFTPReader(content)
        guard kind == .version, let version = reader.number(), version >= SFTPNumber.version else {
            throw session.corrupt("the server does not speak SFTP version \(SFTPNumber.version)")
        }
        while let name = reader.bytes(), reader.bytes() != nil {
            extensions.insert(String(decoding: name, as: UTF8.self))
        }
    }

    deinit { buffer.deallocate() }

    /// Of the call that the connection is in use for.
    var cancellation: BlockingWork.Cancellation { session.cancellation }

    /// Takes the connection into use.
    func begin(_ cancellation: BlockingWork.Cancellation) { session.begin(cancellation) }

    /// Runs what the server may take longer for than the usual time.
    func patiently<Value>(
        _ patience: Duration, _ body: () throws(ServiceFailure) -> Value
    ) throws(ServiceFailure) -> Value {
        session.setPatience(max(patience, session.options.stallTimeout))
        defer { session.setPatience(session.options.stallTimeout) }
        return try body()
    }

    // MARK: - Requests

    /// Sends a request. Its answer must be waited for, or be ignored.
    ///
    /// - Parameter fill: Adds what follows the request's id.
    func send(
        _ kind: SFTPKind, capacity: Int = 256, _ fill: (inout SFTPWriter) -> Void
    ) throws(ServiceFailure) -> UInt32 {
        nextID &+= 1
        var writer = SFTPWriter(kind, id: nextID, capacity: capacity)
        fill(&writer)
        try session.send(writer.finish())
        return nextID
    }

    /// Sends a request of an extension.
    func send(_ feature: Extension, _ fill: (inout SFTPWriter) -> Void) throws(ServiceFailure) -> UInt32 {
        try send(.extended) { writer in
            writer.put(feature.rawValue)
            fill(&writer)
        }
    }

    // MARK: - Answers

    /// Waits for the answer to a request.
    func reply(to id: UInt32) throws(ServiceFailure) -> SFTPReply {
        while true {
            if let reply = arrived.removeValue(forKey: id) { return reply }
            let (kind, content) = try message()
            var reader = SFTPReader(content)
            guard let given = reader.number(), let reply = SFTPReply(kind, reader.remainder) else {
                throw session.corrupt("an answer of the SFTP server cannot be read")
            }
            if ignored.remove(given) != nil { continue }
            if given == id { return reply }
            guard arrived.count < 4096 else { throw session.corrupt("answers that nobody asked for") }
            arrived[given] = reply
        }
    }

    /// The answer to a request that is answered by a status alone.
    func status(of id: UInt32) throws(ServiceFailure) -> SFTPStatus {
        guard case .status(let status) = try reply(to: id) else { throw unexpected() }
        return status
    }

    /// The answer does not matter.
    func ignore(_ id: UInt32) { if arrived.removeValue(forKey: id) == nil { ignored.insert(id) } }

    func unexpected() -> ServiceFailure { session.corrupt("the SFTP server answers what was not asked") }

    /// The length of the next message, where it is there.
    private func nextLength() throws(ServiceFailure) -> Int? {
        guard incoming.count - start >= 4 else { return nil }
        let length = incoming[start..<start + 4].reduce(0) { $0 << 8 | Int($1) }
        guard (1...Self.messageLimit).contains(length) else {
            throw session.corrupt("what answers is no SFTP server (does a login script print something?)")
        }
        return length
    }

    /// The next message, without its length.
    private func message() throws(ServiceFailure) -> (SFTPKind, ArraySlice<UInt8>) {
        try fill(4)
        let length = try nextLength() ?? 0
        try fill(4 + length)
        let content = incoming[start + 5..<start + 4 + length]
        guard let kind = SFTPKind(rawValue: incoming[start + 4]) else {
            throw session.corrupt("an answer of an unknown kind")
        }
        start += 4 + length
        return (kind, content)
    }

    /// Receives until so many bytes are there.
    private func fill(_ count: Int) throws(ServiceFailure) {
        while incoming.count - start < count {
            if start > 0 {
                incoming.removeFirst(start)
                start = 0
            }
            let received = try session.receive(into: buffer)
            incoming.append(contentsOf: buffer[..<received])
        }
    }
}

extension SFTPStatus {
    /// What a status means.
    ///
    /// - Parameter subject: What it is about: a path.
    func failure(_ subject: String) -> ServiceFailure {
        let said = message.isEmpty ? "\(code)" : message
        switch code {
        case .noSuchFile:
            var failure = ServiceFailure(.notFound, "\(subject): \(said)")
            failure.serviceCode = "NoSuchFile"
            return failure
        case .permissionDenied: return ServiceFailure(.denied, "\(subject): \(said)")
        case .noSpace, .quotaExceeded, .writeProtected: return ServiceFailure(.full, "\(subject): \(said)")
        case .alreadyExists: return ServiceFailure(.alreadyExists, "\(subject): \(said)")
        case .unsupported, .badMessage:
            return ServiceFailure(.invalid, "the SFTP server refuses the request on \(subject): \(said)")
        case .ok, .endOfFile, .failure, .noConnection, .connectionLost:
            // Whether it would work another time the protocol does not tell.
            var failure = ServiceFailure(.unavailable, "the SFTP server fails on \(subject): \(said)")
            failure.isRetryable = true
            failure.mayHaveRun = true
            return failure
        }
    }

    /// Throws unless it went well.
    func check(_ subject: String) throws(ServiceFailure) { if !isOK { throw failure(subject) } }
}
