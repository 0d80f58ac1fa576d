import SystemPackage

/// Gathers what is written into blocks at an alignment that every disk takes without the page cache in between.
final class DirectBuffer {
    private static let alignment = 4096
    private static let capacity = 1 << 20

    private let buffer = UnsafeMutableRawBufferPointer.allocate(
        byteCount: DirectBuffer.capacity, alignment: DirectBuffer.alignment)
    private var count = 0

    deinit { buffer.deallocate() }

    func write(_ bytes: UnsafeRawBufferPointer, to file: borrowing Descriptor) throws(Errno) {
        var rest = bytes
        while !rest.isEmpty {
            let step = UnsafeRawBufferPointer(rebasing: rest.prefix(Self.capacity - count))
            UnsafeMutableRawBufferPointer(rebasing: buffer[count...]).copyMemory(from: step)
            count += step.count
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(step.count))
            if count == Self.capacity { try flush(to: file) }
        }
    }

    /// Writes what is left. It need not fill blocks, once the file takes any.
    func flush(to file: borrowing Descriptor) throws(Errno) {
        try file.write(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        count = 0
    }
}
