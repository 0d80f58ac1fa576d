import Glibc

/// Ends another thread's waiting in `poll`, for good.
final class Wakeup: Sendable {
    /// Can be read once the signal came, and stays so.
    let file: Int32
    private let writingEnd: Int32

    init() {
        var ends: [Int32] = [-1, -1]
        let made = pipe(&ends) == 0
        precondition(made, "no pipe can be made: too many files are open")
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        (file, writingEnd) = (ends[0], ends[1])
    }

    deinit {
        close(file)
        close(writingEnd)
    }

    /// Called once.
    func signal() {
        var byte: UInt8 = 1
        _ = write(writingEnd, &byte, 1)
    }

    /// Waits for the signal.
    ///
    /// - Returns: Whether it came before the time was over.
    func wait(milliseconds: Int) -> Bool {
        var files = [pollfd(fd: file, events: Int16(POLLIN), revents: 0)]
        return poll(&files, 1, Int32(clamping: milliseconds)) > 0
    }
}
