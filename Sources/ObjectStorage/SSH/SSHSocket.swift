import Glibc

/// A connected TCP socket that never blocks, owned: closed exactly once.
struct SSHSocket: ~Copyable {
    let raw: Int32
    private init(owning raw: Int32) { self.raw = raw }
    deinit { close(raw) }

    /// Connects to the first address of `host` that answers.
    static func connect(
        host: String, port: Int, wait: (_ descriptor: Int32, _ events: Int16) throws(ServiceFailure) -> Void
    ) throws(ServiceFailure) -> SSHSocket {
        func failure(_ reason: String) -> ServiceFailure {
            var failure = ServiceFailure(.unavailable, "cannot reach \(host), port \(port): \(reason)")
            failure.isRetryable = true
            return failure
        }
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, String(port), &hints, &list)
        guard code == 0 else { throw failure(String(cString: gai_strerror(code))) }
        defer { freeaddrinfo(list) }
        var last = failure("it has no address")
        var next = list
        while let address = next?.pointee {
            next = address.ai_next
            let raw = socket(address.ai_family, address.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), address.ai_protocol)
            guard raw >= 0 else {
                last = failure(String(cString: strerror(errno)))
                continue
            }
            let socket = SSHSocket(owning: raw)
            socket.prepare()
            if Glibc.connect(raw, address.ai_addr, address.ai_addrlen) != 0 {
                guard errno == EINPROGRESS else {
                    last = failure(String(cString: strerror(errno)))
                    continue
                }
                try wait(raw, Int16(POLLOUT))
                var number: Int32 = 0
                var length = socklen_t(MemoryLayout<Int32>.size)
                getsockopt(raw, SOL_SOCKET, SO_ERROR, &number, &length)
                guard number == 0 else {
                    last = failure(String(cString: strerror(number)))
                    continue
                }
            }
            return socket
        }
        throw last
    }

    private func prepare() {
        _ = fcntl(raw, F_SETFL, fcntl(raw, F_GETFL) | O_NONBLOCK)
        var on: Int32 = 1
        let length = socklen_t(MemoryLayout<Int32>.size)
        setsockopt(raw, Int32(IPPROTO_TCP), TCP_NODELAY, &on, length)
        setsockopt(raw, SOL_SOCKET, SO_KEEPALIVE, &on, length)
    }

    /// True when something waits to be read, or the other side has gone.
    var isReadable: Bool {
        var entry = pollfd(fd: raw, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0) > 0
    }

    /// Nothing goes in or out any more.
    func shutDown() { shutdown(raw, Int32(SHUT_RDWR)) }
}
