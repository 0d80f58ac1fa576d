import NIOCore

/// Closes a connection when its time is over, whatever it is doing: one that says nothing, sends its request byte by
/// byte or does not take its answer would hold its place for ever.
final class ConnectionDeadline: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    /// What is left of a connection's time when the server ends.
    private static let farewell = TimeAmount.seconds(1)

    private let limit: TimeAmount
    private var end: Scheduled<Void>?

    init(_ limit: TimeAmount) { self.limit = limit }

    func handlerAdded(context: ChannelHandlerContext) { schedule(context.channel, in: limit) }

    func handlerRemoved(context: ChannelHandlerContext) { end?.cancel() }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent { schedule(context.channel, in: min(limit, Self.farewell)) }
        context.fireUserInboundEventTriggered(event)
    }

    private func schedule(_ channel: any Channel, in time: TimeAmount) {
        end?.cancel()
        end = channel.eventLoop.scheduleTask(in: time) { channel.close(promise: nil) }
    }
}
