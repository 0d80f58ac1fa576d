/// The name of a relation's segment file: `16384`, `16384_fsm`, `16384_vm.2`, or of a session's temporary relation,
/// `t3_16385`.
///
/// Numbers are decimal and without leading zeros, so that a file has one name only.
public struct RelationFileName: Hashable, Sendable, CustomStringConvertible {
    /// relfilenode, not 0.
    public let relation: UInt32
    public let fork: ForkKind
    /// 0 for the file without a number at its end.
    public let segment: Int
    /// The session that a temporary relation belongs to; nil for all others.
    public let temporaryBackend: Int?

    public init(relation: UInt32, fork: ForkKind, segment: Int, temporaryBackend: Int? = nil) {
        self.relation = relation
        self.fork = fork
        self.segment = segment
        self.temporaryBackend = temporaryBackend
    }

    /// Nil when `text` is not exactly what `description` would print.
    public init?(_ text: some StringProtocol) {
        var rest = Array(text.utf8)[...]
        var backend: Int?
        if rest.first == UInt8(ascii: "t") {
            guard let end = rest.firstIndex(of: UInt8(ascii: "_")),
                let number = parseDecimal(rest[1..<end], as: Int32.self)
            else { return nil }
            backend = Int(number)
            rest = rest[(end + 1)...]
        }
        var segment = 0
        if let dot = rest.firstIndex(of: UInt8(ascii: ".")) {
            // No relation has more blocks than a UInt32 counts, and a segment has at least one.
            guard let number = parseDecimal(rest[(dot + 1)...], as: UInt32.self), number > 0 else { return nil }
            segment = Int(number)
            rest = rest[..<dot]
        }
        var fork = ForkKind.main
        if let underscore = rest.firstIndex(of: UInt8(ascii: "_")) {
            guard let named = ForkKind.allCases.first(where: { $0.suffix.utf8.elementsEqual(rest[underscore...]) })
            else { return nil }
            fork = named
            rest = rest[..<underscore]
        }
        guard let relation = parseDecimal(rest, as: UInt32.self), relation != 0 else { return nil }
        self.init(relation: relation, fork: fork, segment: segment, temporaryBackend: backend)
    }

    public var description: String {
        (temporaryBackend.map { "t\($0)_" } ?? "") + "\(relation)\(fork.suffix)" + (segment == 0 ? "" : ".\(segment)")
    }
}
