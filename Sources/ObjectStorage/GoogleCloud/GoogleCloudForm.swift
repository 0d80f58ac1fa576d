import FoundationEssentials
import SystemPackage

/// A body of two parts: an object's description and its content.
struct GoogleCloudForm: Sendable {
    let contentType: String
    let bytes: [UInt8]

    /// Puts it together off the cooperative pool, where a file is read as well.
    static func make(
        _ description: GoogleCloudDescription, _ content: HTTPBody
    ) async throws(ServiceFailure) -> GoogleCloudForm {
        let json = try encode(description)
        do {
            return try await BlockingWork.run { _ in try GoogleCloudForm(json, content) }
        } catch {
            if error is CancellationError { throw .cancelled(error) }
            throw ServiceFailure(.invalid, "reading the file to send: \(error)")
        }
    }

    static func encode(_ description: GoogleCloudDescription) throws(ServiceFailure) -> [UInt8] {
        do { return Array(try JSONEncoder().encode(description)) } catch {
            throw ServiceFailure(.invalid, "the key cannot be written as JSON", cause: error)
        }
    }

    private init(_ description: [UInt8], _ content: HTTPBody) throws {
        // Random, so that no content has it.
        let boundary = (0..<2).map { _ in String(UInt64.random(in: 0 ... .max), radix: 36) }.joined(separator: "z")
        let head = "--\(boundary)\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n"
        let middle = "\r\n--\(boundary)\r\nContent-Type: application/octet-stream\r\n\r\n"
        let tail = "\r\n--\(boundary)--\r\n"
        var bytes: [UInt8] = []
        bytes.reserveCapacity(head.utf8.count + description.count + middle.utf8.count + content.count + tail.utf8.count)
        bytes += head.utf8
        bytes += description
        bytes += middle.utf8
        switch content {
        case .none: break
        case .bytes(let source, let range): bytes += source[range]
        case .file(let region): bytes += try region.bytes()
        }
        bytes += tail.utf8
        self.bytes = bytes
        contentType = "multipart/related; boundary=\(boundary)"
    }
}

extension FileRegion {
    /// All of it.
    fileprivate func bytes() throws -> [UInt8] {
        try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            while initialized < count {
                let rest = UnsafeMutableRawBufferPointer(
                    rebasing: UnsafeMutableRawBufferPointer(buffer)[initialized...])
                let readCount = try read(at: initialized, into: rest)
                guard readCount > 0 else { throw Errno.ioError }  // shorter than when it was opened
                initialized += readCount
            }
        }
    }
}
