/// Who is told how far long work has come. Called once a frame or a piece, from any thread.
public protocol WorkProgress: Sendable {
    /// There are this many more bytes to do.
    func expect(bytes: Int)
    func advance(bytes: Int)
}

/// Tells nobody.
public struct NoProgress: WorkProgress {
    public init() {}
    public func expect(bytes: Int) {}
    public func advance(bytes: Int) {}
}
