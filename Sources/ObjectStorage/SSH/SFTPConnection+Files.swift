/// The operations, each waiting for its answer.
extension SFTPConnection {
    /// A path's attributes, a symlink's own; nil when nothing is there.
    func status(_ path: String) throws(ServiceFailure) -> SFTPAttributes? {
        try attributes(send(.linkStatus) { $0.put(path) }, path)
    }

    /// A path's attributes, of what a symlink leads to; nil when nothing is there.
    func statusFollowingLinks(_ path: String) throws(ServiceFailure) -> SFTPAttributes? {
        try attributes(send(.pathStatus) { $0.put(path) }, path)
    }

    func attributes(_ id: UInt32, _ path: String) throws(ServiceFailure) -> SFTPAttributes? {
        switch try reply(to: id) {
        case .attributes(let attributes): return attributes
        case .status(let status) where status.code == .noSuchFile: return nil
        case .status(let status): throw status.failure(path)
        default: throw unexpected()
        }
    }

    /// - Parameter mode: The permissions of a file that is made.
    func open(_ path: String, _ flags: UInt32, mode: UInt32? = nil) throws(ServiceFailure) -> [UInt8] {
        try handle(
            send(.open) { request in
                request.put(path)
                request.put(flags)
                request.put(permissions: mode)
            }, path)
    }

    func openDirectory(_ path: String) throws(ServiceFailure) -> [UInt8] {
        try handle(send(.openDirectory) { $0.put(path) }, path)
    }

    private func handle(_ id: UInt32, _ path: String) throws(ServiceFailure) -> [UInt8] {
        switch try reply(to: id) {
        case .handle(let handle): return handle
        case .status(let status): throw status.failure(path)
        default: throw unexpected()
        }
    }

    func sendClose(_ handle: [UInt8]) throws(ServiceFailure) -> UInt32 { try send(.close) { $0.put(handle) } }

    /// Closes a file that was only read: how that goes does not matter.
    func close(_ handle: [UInt8]) {
        if !isBroken, let id = try? sendClose(handle) { ignore(id) }
    }

    func remove(_ path: String) throws(ServiceFailure) -> SFTPStatus {
        try status(of: send(.remove) { $0.put(path) })
    }

    func removeDirectory(_ path: String) throws(ServiceFailure) -> SFTPStatus {
        try status(of: send(.removeDirectory) { $0.put(path) })
    }

    func makeDirectory(_ path: String, mode: UInt32) throws(ServiceFailure) -> SFTPStatus {
        try status(
            of: send(.makeDirectory) { request in
                request.put(path)
                request.put(permissions: mode)
            })
    }

    /// By the protocol's own request, which some servers let replace what is there, and some do not.
    func rename(_ path: String, to other: String) throws(ServiceFailure) -> SFTPStatus {
        try status(
            of: send(.rename) { request in
                request.put(path)
                request.put(other)
            })
    }

    /// Replaces what is there, in one step.
    func rename(_ path: String, replacing other: String) throws(ServiceFailure) -> SFTPStatus {
        try status(
            of: send(.posixRename) { request in
                request.put(path)
                request.put(other)
            })
    }

    /// Gives a file another name, where nothing has it.
    func link(_ path: String, as other: String) throws(ServiceFailure) -> SFTPStatus {
        try status(
            of: send(.hardLink) { request in
                request.put(path)
                request.put(other)
            })
    }

    func setModified(_ path: String, _ seconds: UInt32) throws(ServiceFailure) -> SFTPStatus {
        try status(
            of: send(.setStatus) { request in
                request.put(path)
                request.put(SFTPNumber.hasTimes)
                request.put(seconds)
                request.put(seconds)
            })
    }

    /// Whether the file system that holds a path has no room left, or takes no writes; nil where the server does not
    /// tell.
    func isFull(_ path: String) throws(ServiceFailure) -> Bool? {
        guard offers(.fileSystemStatus) else { return nil }
        let id = try send(.fileSystemStatus) { $0.put(path) }
        guard case .extended(let content) = try reply(to: id) else { return nil }
        // Block size, fragment size, blocks, free ones, those free for this user, files, free ones, those free for
        // this user, id, flags.
        var reader = SFTPReader(content[...])
        var numbers: [UInt64] = []
        while let number = reader.largeNumber() { numbers.append(number) }
        guard numbers.count >= 10 else { return nil }
        let (fragment, available, files, availableFiles, flags) = (
            numbers[1], numbers[4], numbers[5], numbers[7], numbers[9]
        )
        let isReadOnly = flags & 1 != 0
        let room = available.multipliedReportingOverflow(by: fragment)
        // A little may be left that is too little for what was to be written.
        return isReadOnly || (!room.overflow && room.partialValue < 1 << 20) || (files > 0 && availableFiles == 0)
    }

    // MARK: - Directories

    /// Requests for more names that are under way at once.
    private static let listingWindow = 8

    /// Hands over what is in a directory, piece by piece, until `take` wants no more.
    func readDirectory(
        _ path: String, _ take: (_ name: [UInt8], _ attributes: SFTPAttributes) throws(ServiceFailure) -> Bool
    ) throws(ServiceFailure) {
        let handle = try openDirectory(path)
        defer { close(handle) }
        var pending: [UInt32] = []
        var wantsMore = true
        var isAtEnd = false
        while wantsMore && !isAtEnd || !pending.isEmpty {
            while wantsMore, !isAtEnd, pending.count < Self.listingWindow {
                pending.append(try send(.readDirectory) { $0.put(handle) })
            }
            switch try reply(to: pending.removeFirst()) {
            case .names(let names):
                for (name, attributes) in names where wantsMore {
                    if name.elementsEqual(".".utf8) || name.elementsEqual("..".utf8) { continue }
                    wantsMore = try take(name, attributes)
                }
                if names.isEmpty { isAtEnd = true }
            case .status(let status) where status.code == .endOfFile: isAtEnd = true
            case .status(let status): throw status.failure(path)
            default: throw unexpected()
            }
        }
    }
}
