import CSSH2
import Glibc
import StorageURI

/// One connection to a host, checked and logged in, with the channel of its SFTP server open. It has one owner at a
/// time, which may be any thread.
///
/// libssh2 never blocks here: each wait looks whether the caller was cancelled and whether anything has moved.
final class SSHSession {
    let options: SSHOptions
    let raw: OpaquePointer
    private let socket: SSHSocket
    private var channel: OpaquePointer?
    private(set) var cancellation: BlockingWork.Cancellation
    /// When what waits now is given up.
    private var deadline: ContinuousClock.Instant
    /// How long nothing may move.
    private var patience: Duration
    /// True once anything has gone wrong with the connection itself: it is of no more use.
    private(set) var isBroken = false
    private var isOpen = false

    /// libssh2's own start-up, once a process. libcurl does the same as part of its own; one after the other.
    private static let isReady = CurlEngine.isReady && libssh2_init(0) == 0

    /// How often a wait looks whether it was cancelled.
    private static let tickMilliseconds: Int32 = 50

    /// Connects, checks the host's key, and logs in.
    init(
        _ options: SSHOptions, credentials: () throws(ServiceFailure) -> SSHCredentials,
        cancellation: BlockingWork.Cancellation
    ) throws(ServiceFailure) {
        self.options = options
        self.cancellation = cancellation
        patience = options.stallTimeout
        let deadline = ContinuousClock.now + options.connectTimeout
        self.deadline = deadline
        socket = try SSHSocket.connect(host: options.host, port: options.port) {
            (descriptor, events) throws(ServiceFailure) in
            try Self.wait(descriptor, events, until: deadline, cancellation) {
                Self.broken("cannot reach \(options.host), port \(options.port): no answer in time", false)
            }
        }
        guard Self.isReady, let raw = libssh2_session_init_ex(nil, nil, nil, nil) else {
            throw ServiceFailure(.unavailable, "libssh2 does not start")
        }
        self.raw = raw
        libssh2_session_set_blocking(raw, 0)
        let hostKey = SSHHostKey(options)
        libssh2_session_method_pref(raw, LIBSSH2_METHOD_HOSTKEY, try hostKey.preferredTypes())
        let code = try call { libssh2_session_handshake(raw, socket.raw) }
        guard code == 0 else { throw broken("the key exchange with \(options.host) failed", code) }
        try hostKey.check(raw)
        try logIn(try credentials())
        channel = try openChannel()
        isOpen = true
        self.deadline = ContinuousClock.now + options.stallTimeout
    }

    deinit {
        // What libssh2 has to say in farewell is said if the socket takes it at once.
        if !isBroken { libssh2_session_disconnect_ex(raw, SSH_DISCONNECT_BY_APPLICATION, "", "") }
        socket.shutDown()
        for _ in 0..<100 where libssh2_session_free(raw) != LIBSSH2_ERROR_EAGAIN { break }
    }

    // MARK: - Waiting

    /// Takes the session into use for a call that may be cancelled.
    func begin(_ cancellation: BlockingWork.Cancellation) {
        self.cancellation = cancellation
        setPatience(options.stallTimeout)
    }

    /// From now on nothing may move for so long.
    func setPatience(_ patience: Duration) {
        self.patience = patience
        noteProgress()
    }

    private func noteProgress() { if isOpen { deadline = ContinuousClock.now + patience } }

    /// Repeats a call of libssh2 until it need not wait any more.
    func call(_ body: () -> Int32) throws(ServiceFailure) -> Int32 {
        while true {
            let code = body()
            if code != LIBSSH2_ERROR_EAGAIN { return code }
            try wait()
        }
    }

    /// The same for calls that give a pointer.
    func callForPointer(_ body: () -> OpaquePointer?) throws(ServiceFailure) -> OpaquePointer? {
        while true {
            if let pointer = body() { return pointer }
            if libssh2_session_last_errno(raw) != LIBSSH2_ERROR_EAGAIN { return nil }
            try wait()
        }
    }

    private func wait() throws(ServiceFailure) {
        let directions = libssh2_session_block_directions(raw)
        var events: Int16 = 0
        if directions & LIBSSH2_SESSION_BLOCK_OUTBOUND != 0 { events |= Int16(POLLOUT) }
        // Where libssh2 names no direction, it waits for the other side to make room.
        if directions & LIBSSH2_SESSION_BLOCK_INBOUND != 0 || events == 0 { events |= Int16(POLLIN) }
        do throws(ServiceFailure) {
            try Self.wait(socket.raw, events, until: deadline, cancellation) {
                Self.broken("the connection to \(options.host) failed: nothing moved for too long", isOpen)
            }
        } catch {
            isBroken = true
            throw error
        }
    }

    private static func wait(
        _ descriptor: Int32, _ events: Int16, until deadline: ContinuousClock.Instant,
        _ cancellation: BlockingWork.Cancellation, late: () -> ServiceFailure
    ) throws(ServiceFailure) {
        var entry = pollfd(fd: descriptor, events: events, revents: 0)
        while true {
            if cancellation.isCancelled { throw .cancelled(CancellationError()) }
            if poll(&entry, 1, tickMilliseconds) > 0 { return }
            if ContinuousClock.now >= deadline { throw late() }
        }
    }

    // MARK: - Failures

    static func broken(_ detail: String, _ mayHaveRun: Bool) -> ServiceFailure {
        var failure = ServiceFailure(.unavailable, detail)
        failure.isRetryable = true
        failure.mayHaveRun = mayHaveRun
        return failure
    }

    /// The connection is of no more use, for what libssh2 says.
    func broken(_ what: String, _ code: Int32) -> ServiceFailure {
        isBroken = true
        let reason = code == LIBSSH2_ERROR_SOCKET_RECV || code == LIBSSH2_ERROR_SOCKET_DISCONNECT ? "closed" : lastError
        return Self.broken("\(what): \(reason)", isOpen)
    }

    /// The connection is of no more use, since the other side does not keep to the protocol.
    func corrupt(_ detail: String) -> ServiceFailure {
        isBroken = true
        return Self.broken("the connection to \(options.host) failed: \(detail)", isOpen)
    }

    /// What libssh2 says about the last failure.
    var lastError: String {
        var text: UnsafeMutablePointer<CChar>?
        libssh2_session_last_error(raw, &text, nil, 0)
        let message = text.map { String(cString: $0) } ?? ""
        return message.isEmpty ? "error \(libssh2_session_last_errno(raw))" : message
    }

    // MARK: - The channel

    /// What the server may send before it is read: as much as is asked for at once.
    private static let windowBytes: UInt32 = 4 << 20

    private func openChannel() throws(ServiceFailure) -> OpaquePointer {
        let kind = "session"
        let opened = try callForPointer {
            libssh2_channel_open_ex(
                raw, kind, UInt32(kind.utf8.count), Self.windowBytes, UInt32(LIBSSH2_CHANNEL_PACKET_DEFAULT), nil, 0)
        }
        guard let channel = opened else {
            throw broken("\(options.host) opens no channel", libssh2_session_last_errno(raw))
        }
        let (request, name) = ("subsystem", "sftp")
        let code = try call {
            libssh2_channel_process_startup(
                channel, request, UInt32(request.utf8.count), name, UInt32(name.utf8.count))
        }
        guard code == 0 else {
            isBroken = true
            throw ServiceFailure(
                .invalid, "\(options.host) has no SFTP server for this user: \(lastError)")
        }
        _ = try call { libssh2_channel_handle_extended_data2(channel, LIBSSH2_CHANNEL_EXTENDED_DATA_IGNORE) }
        return channel
    }

    /// Sends all of `bytes`.
    func send(_ bytes: [UInt8]) throws(ServiceFailure) {
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                libssh2_channel_write_ex(
                    channel, 0, buffer.baseAddress?.assumingMemoryBound(to: CChar.self).advanced(by: offset),
                    buffer.count - offset)
            }
            if count > 0 {
                offset += count
                noteProgress()
            } else if count == 0 || count == Int(LIBSSH2_ERROR_EAGAIN) {
                try wait()
            } else {
                throw broken("the connection to \(options.host) failed", Int32(count))
            }
        }
    }

    /// Reads what is there, at least a byte.
    func receive(into buffer: UnsafeMutableRawBufferPointer) throws(ServiceFailure) -> Int {
        while true {
            let start = buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
            let count = libssh2_channel_read_ex(channel, 0, start, buffer.count)
            if count > 0 {
                noteProgress()
                return count
            }
            if count == 0 {
                if libssh2_channel_eof(channel) != 0 { throw corrupt("the SFTP server has ended") }
                try wait()
            } else if count == Int(LIBSSH2_ERROR_EAGAIN) {
                try wait()
            } else {
                throw broken("the connection to \(options.host) failed", Int32(count))
            }
        }
    }

    /// Reads what is there by now; 0: nothing.
    func receiveAvailable(into buffer: UnsafeMutableRawBufferPointer) throws(ServiceFailure) -> Int {
        guard socket.isReadable else { return 0 }
        // A question that asks whether we are still there is answered on the way.
        let count = libssh2_channel_read_ex(
            channel, 0, buffer.baseAddress?.assumingMemoryBound(to: CChar.self), buffer.count)
        if count > 0 { return count }
        guard count == Int(LIBSSH2_ERROR_EAGAIN) else { throw corrupt("it has ended") }
        return 0
    }
}
