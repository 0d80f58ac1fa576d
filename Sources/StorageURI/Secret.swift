/// A value that must never be shown: it prints, dumps and interpolates as `<redacted>`.
public struct Secret: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private let value: String
    public init(_ value: String) { self.value = value }
    public var description: String { "<redacted>" }
    public var debugDescription: String { "<redacted>" }
    public var customMirror: Mirror { Mirror(self, children: []) }

    /// The secret itself, for signing and for the wire. Nothing else may call this.
    public func reveal() -> String { value }
    public var isEmpty: Bool { value.isEmpty }
}
