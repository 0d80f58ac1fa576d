import NIOCore

extension Connection {
    /// Lets the client in without a word, or asks for a password.
    ///
    /// - Throws: `ServerError` when it may not come in.
    func authenticate(user: String) async throws {
        if credentials.requiresTLS, !consumer.isEncrypted {
            throw ServerError.fatal("28000", "connections without TLS are not accepted", hint: "Use sslmode=require.")
        }
        if credentials.trustsLoopback, channel.remoteAddress?.isLoopback == true { return }
        guard !credentials.users.isEmpty else {
            throw ServerError.fatal("28000", "no user may connect from this address")
        }
        // One who does not exist is asked the same questions, so that names cannot be guessed.
        let known = credentials.users[user]
        var exchange = SCRAMExchange(
            verifier: known ?? .mock(user: user, secret: credentials.mockSecret), isKnownUser: known != nil,
            certificateHash: consumer.isEncrypted ? credentials.certificateHash : nil,
            serverNonce: SCRAMExchange.makeNonce())

        var message = ByteBuffer()
        message.writeAuthenticationSASL(mechanisms: exchange.mechanisms)
        try await send(message)
        var initial = try await nextSASLMessage()
        guard let mechanism = initial.readNullTerminatedString(), let length = initial.readInteger(as: Int32.self),
            length >= 0, length == initial.readableBytes
        else { throw ServerError.violation("invalid SASL initial response") }
        let challenge = try exchange.first(mechanism: mechanism, message: Array(initial.readableBytesView))
        message.clear()
        message.writeAuthenticationSASLContinue(challenge)
        try await send(message)

        let response = try await nextSASLMessage()
        guard let proof = try exchange.final(message: Array(response.readableBytesView)) else {
            throw ServerError.fatal("28P01", "password authentication failed for user \"\(printable(user))\"")
        }
        message.clear()
        message.writeAuthenticationSASLFinal(proof)
        try await send(message)
    }

    private func nextSASLMessage() async throws -> ByteBuffer {
        // A client that goes away when it is asked for a password it has not got is the ordinary case.
        guard let (type, body) = try await next() else { throw ChannelError.eof }
        guard type == UInt8(ascii: "p") else {
            throw ServerError.violation("expected SASL response, got message type \(type)")
        }
        return body
    }
}

extension SocketAddress {
    /// 127.0.0.0/8, ::1, or the first in the clothes of the second. As the system prints them, there is one form of each.
    var isLoopback: Bool {
        guard let ipAddress else { return false }
        return ipAddress == "::1" || ipAddress.hasPrefix("127.") || ipAddress.hasPrefix("::ffff:127.")
    }
}
