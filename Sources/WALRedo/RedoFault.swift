/// Why a record cannot be redone on a page: it contradicts the page, or itself. Whoever knows record and page adds them.
public struct RedoFault: Error, Sendable, CustomStringConvertible {
    public let reason: String
    public var description: String { reason }

    init(_ reason: String) { self.reason = reason }
}
