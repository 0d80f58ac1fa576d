import SystemPackage

/// Reading and writing, with many requests under way at once, so that the distance to the server does not count.
extension SFTPConnection {
    /// What every server takes and gives in one message.
    static let pieceBytes = 32 << 10
    /// Requests under way at once: 2 MiB.
    private static let window = 64

    /// Reads bytes of an open file, in order, until they are all there or the file ends.
    ///
    /// - Parameter take: Is handed each piece.
    func read(
        _ handle: [UInt8], _ range: Range<Int>, _ path: String, _ take: (ArraySlice<UInt8>) -> Void
    ) throws(ServiceFailure) {
        var pending: [(id: UInt32, offset: Int, count: Int)] = []
        var head = 0  // the first of `pending` that is still waited for
        var next = range.lowerBound
        var isAtEnd = false
        func ask(_ offset: Int, _ count: Int) throws(ServiceFailure) -> UInt32 {
            try send(.read) { request in
                request.put(handle)
                request.put(UInt64(offset))
                request.put(UInt32(count))
            }
        }
        while next < range.upperBound || head < pending.count {
            while next < range.upperBound, pending.count - head < Self.window, !isAtEnd {
                let count = min(Self.pieceBytes, range.upperBound - next)
                pending.append((try ask(next, count), next, count))
                next += count
            }
            guard head < pending.count else { return }
            var (id, offset, count) = pending[head]
            head += 1
            if head == 1024 {
                pending.removeFirst(head)
                head = 0
            }
            while true {
                switch try reply(to: id) {
                case .data(let data):
                    guard !data.isEmpty, data.count <= count else { throw unexpected() }
                    if !isAtEnd { take(data) }
                    offset += data.count
                    count -= data.count
                case .status(let status) where status.code == .endOfFile: isAtEnd = true
                case .status(let status): throw status.failure(path)
                default: throw unexpected()
                }
                // A server may give less than was asked for.
                if count == 0 || isAtEnd { break }
                id = try ask(offset, count)
            }
        }
    }

    /// Writes a body into an open file. All answers have been waited for when this ends, unless the connection broke.
    func write(_ handle: [UInt8], _ body: HTTPBody, at offset: Int, _ path: String) throws(ServiceFailure) {
        var pending: [UInt32] = []
        var fault: SFTPStatus?
        var position = 0
        var piece: [UInt8] = []
        while position < body.count || !pending.isEmpty {
            while position < body.count, pending.count < Self.window, fault == nil {
                let count = min(Self.pieceBytes, body.count - position)
                piece.removeAll(keepingCapacity: true)
                try body.append(position, count, to: &piece)
                let at = offset + position
                pending.append(
                    try send(.write, capacity: count + 64) { request in
                        request.put(handle)
                        request.put(UInt64(at))
                        request.put(piece)
                    })
                position += count
            }
            if pending.isEmpty { break }
            let status = try status(of: pending.removeFirst())
            if !status.isOK, fault == nil { fault = status }
        }
        if let fault { throw try explain(fault, path) }
    }

    /// What went wrong with writing: of a full disk the protocol says only that something failed.
    func explain(_ status: SFTPStatus, _ path: String) throws(ServiceFailure) -> ServiceFailure {
        if status.code == .failure, try isFull(path) == true {
            return ServiceFailure(.full, "\(path): \(status.message), and its file system is full or takes no writes")
        }
        return status.failure(path)
    }

    /// How long a server may take to bring an object to its disk.
    private static let syncPatience = Duration.seconds(300)

    /// Closes a file that was written, after what was written is on the server's disk where it can tell.
    func finish(_ handle: [UInt8], _ path: String) throws(ServiceFailure) {
        try patiently(Self.syncPatience) { () throws(ServiceFailure) in
            let sync = offers(.sync) ? try send(.sync) { $0.put(handle) } : nil
            let close = try sendClose(handle)
            if let sync {
                let status = try self.status(of: sync)
                let closed = try self.status(of: close)
                if status.code != .unsupported, !status.isOK { throw try explain(status, path) }
                if !closed.isOK { throw try explain(closed, path) }
            } else {
                let closed = try self.status(of: close)
                if !closed.isOK { throw try explain(closed, path) }
            }
        }
    }
}

extension HTTPBody {
    /// Appends `count` bytes from `position` on.
    func append(_ position: Int, _ count: Int, to bytes: inout [UInt8]) throws(ServiceFailure) {
        switch self {
        case .none: break
        case .bytes(let source, let range):
            let start = range.lowerBound + position
            bytes.append(contentsOf: source[start..<start + count])
        case .file(let region):
            var read = [UInt8](repeating: 0, count: count)
            var done = 0
            while done < count {
                var step = 0
                var fault: Errno?
                read.withUnsafeMutableBytes { buffer in
                    let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
                    do throws(Errno) { step = try region.read(at: position + done, into: rest) } catch { fault = error }
                }
                if let fault { throw ServiceFailure(.invalid, "reading the file to send: \(fault)") }
                guard step > 0 else { throw ServiceFailure(.invalid, "the file to send has become shorter") }
                done += step
            }
            bytes.append(contentsOf: read)
        }
    }
}
