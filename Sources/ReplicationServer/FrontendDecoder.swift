import NIOCore

/// What a client sends.
enum FrontendMessage: Hashable {
    /// `SSLRequest`; true when nothing follows it in the clear, which would be somebody else's.
    case encryptionRequest(isLast: Bool)
    /// `GSSENCRequest`.
    case gssRequest
    case cancelRequest
    case startup(StartupPacket)
    /// A message with a type, once the start-up packet is there.
    case message(type: UInt8, ByteBuffer)
    /// Something that is no message. Nothing after it is looked at.
    case violation(ServerError)
}

/// Cuts what a client sends into messages. Holds at most one message that is not whole, and no more of it than has come.
struct FrontendDecoder {
    /// PostgreSQL's `MAX_STARTUP_PACKET_LENGTH`.
    static let startupLimit = 10_000
    /// A command, or a status update: there is nothing longer in what a consumer says.
    static let messageLimit = 65_536

    private enum State {
        case startup
        case messages
        case ended
    }

    private var buffer = ByteBuffer()
    private var state = State.startup
    private var encryptionRequests = 0

    /// How much memory is held.
    var capacity: Int { buffer.capacity }

    mutating func append(_ bytes: inout ByteBuffer) {
        guard state != .ended else { return }
        if buffer.readableBytes == 0 {
            buffer = bytes
        } else {
            // Without this, a client whose messages never end where a read does would make it grow for ever.
            buffer.discardReadBytes()
            buffer.writeBuffer(&bytes)
        }
    }

    /// The next message that is whole.
    mutating func next() -> FrontendMessage? {
        do throws(ServerError) {
            switch state {
            case .startup: return try nextStartup()
            case .messages: return try nextMessage()
            case .ended: return nil
            }
        } catch {
            state = .ended
            buffer = ByteBuffer()
            return .violation(error)
        }
    }

    private mutating func nextStartup() throws(ServerError) -> FrontendMessage? {
        let start = buffer.readerIndex
        guard let length = buffer.getInteger(at: start, as: UInt32.self) else { return nil }
        guard (8...UInt32(Self.startupLimit)).contains(length) else {
            throw .violation("invalid length of startup packet")
        }
        guard buffer.readableBytes >= Int(length) else { return nil }
        let major = buffer.getInteger(at: start + 4, as: UInt16.self) ?? 0
        let minor = buffer.getInteger(at: start + 6, as: UInt16.self) ?? 0
        let body = buffer.getBytes(at: start + 8, length: Int(length) - 8) ?? []
        buffer.moveReaderIndex(forwardBy: Int(length))
        switch (major, minor) {
        case (1234, 5678): return .cancelRequest
        case (1234, 5679), (1234, 5680):
            encryptionRequests += 1
            // One for TLS, one for GSSAPI: more is a client that gets nowhere.
            guard length == 8, encryptionRequests <= 2 else { throw .violation("invalid encryption request") }
            return minor == 5679 ? .encryptionRequest(isLast: buffer.readableBytes == 0) : .gssRequest
        case (StartupPacket.majorVersion, _):
            let packet = try StartupPacket(minorVersion: minor, body)
            state = .messages
            return .startup(packet)
        default:
            throw .fatal(
                "0A000", "unsupported frontend protocol \(major).\(minor): server supports 3.0 to 3.0")
        }
    }

    private mutating func nextMessage() throws(ServerError) -> FrontendMessage? {
        let start = buffer.readerIndex
        guard let type = buffer.getInteger(at: start, as: UInt8.self) else { return nil }
        guard Self.types.contains(type) else { throw .violation("invalid frontend message type \(type)") }
        guard let length = buffer.getInteger(at: start + 1, as: UInt32.self) else { return nil }
        guard (4...UInt32(Self.messageLimit)).contains(length) else { throw .violation("invalid message length") }
        guard buffer.readableBytes > Int(length) else { return nil }
        buffer.moveReaderIndex(forwardBy: 5)
        let body = buffer.readSlice(length: Int(length) - 4) ?? ByteBuffer()
        return .message(type: type, body)
    }

    /// Query, Parse, Bind, Execute, function call, Close, Describe, Flush, Sync, CopyData, CopyDone, CopyFail, password
    /// (and SASL), Terminate.
    private static let types = Array("QPBEFCDHSdcfpX".utf8)
}
