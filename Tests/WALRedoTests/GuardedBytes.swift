import Glibc

/// Memory with nothing before and behind it: whoever leaves it ends the process, whether it reads or writes.
struct GuardedBytes: ~Copyable {
    private let mapping: UnsafeMutableRawPointer
    let bytes: UnsafeMutableRawBufferPointer

    /// As far as an offset of 16 bits leads.
    private static let guardBytes = 1 << 16

    /// - Parameter count: A multiple of the system's page.
    init(_ count: Int) {
        let total = count + 2 * Self.guardBytes
        mapping = mmap(nil, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        precondition(mapping != MAP_FAILED, "no memory")
        let start = mapping + Self.guardBytes
        precondition(mprotect(start, count, PROT_READ | PROT_WRITE) == 0, "no memory")
        bytes = UnsafeMutableRawBufferPointer(start: start, count: count)
    }

    deinit { munmap(mapping, bytes.count + 2 * Self.guardBytes) }

    /// Puts bytes there so that behind their last one there is nothing.
    func fill(_ content: some Collection<UInt8>) -> UnsafeRawBufferPointer {
        let end = UnsafeMutableRawBufferPointer(rebasing: bytes.suffix(content.count))
        end.copyBytes(from: content)
        return UnsafeRawBufferPointer(end)
    }
}
