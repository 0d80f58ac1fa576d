import NIOCore
import NIOSSL

/// Reads a client's messages on the connection's event loop, negotiates TLS, and hands the rest to the mailbox.
final class FrontendHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let mailbox: FrontendMailbox
    private let consumer: ConsumerState
    private let tls: NIOSSLContext?
    private var decoder = FrontendDecoder()

    init(mailbox: FrontendMailbox, consumer: ConsumerState, tls: NIOSSLContext?) {
        self.mailbox = mailbox
        self.consumer = consumer
        self.tls = tls
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        decoder.append(&bytes)
        while let message = decoder.next() {
            switch message {
            case .encryptionRequest(isLast: true): answerEncryptionRequest(context: context)
            case .encryptionRequest(isLast: false):
                mailbox.put(.violation(.violation("received unencrypted data after SSL request")))
                return
            case .gssRequest: answer("N", context: context)
            case .cancelRequest:
                // Nothing here runs long enough to be cancelled, and the one who asks is told nothing.
                context.close(promise: nil)
                return
            case .startup, .message, .violation: mailbox.put(message)
            }
        }
    }

    private func answerEncryptionRequest(context: ChannelHandlerContext) {
        guard let tls, !consumer.isEncrypted else { return answer("N", context: context) }
        answer("S", context: context)
        do {
            try context.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls), position: .first)
            consumer.setEncrypted()
        } catch {
            context.close(promise: nil)
        }
    }

    private func answer(_ text: StaticString, context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(staticString: text)), promise: nil)
    }

    /// The channel asks to read again after each read.
    func read(context: ChannelHandlerContext) {
        if !mailbox.isFull { context.read() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        mailbox.finish()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A reset connection or a failed TLS handshake: there is nobody left to tell.
        context.close(promise: nil)
    }
}
