import PostgresFormat

/// Numbers the forks that come by, from 0 on.
struct ForkNumbers: ~Copyable {
    private struct Slot {
        var fork: RelationFork
        var number: UInt32
    }

    private var forks: [RelationFork] = []
    private var numbers: [RelationFork: UInt32] = [:]
    /// Forks that came by lately, so that few are looked up.
    private let recent = UnsafeMutablePointer<Slot>.allocate(capacity: Self.recentCount)
    private static let recentCount = 256

    init() { forget() }

    deinit { recent.deallocate() }

    private func forget() {
        let none = RelationFork(tablespace: 0, database: 0, relation: 0, fork: .main)
        recent.initialize(repeating: Slot(fork: none, number: .max), count: Self.recentCount)
    }

    mutating func clear() {
        forks.removeAll(keepingCapacity: true)
        numbers.removeAll(keepingCapacity: true)
        forget()
    }

    @inline(__always)
    mutating func number(of relation: RelationLocator, _ kind: ForkKind) -> UInt32 {
        let mixed = (relation.relation &+ UInt32(kind.rawValue) << 30 ^ relation.database) &* 0x9E37_79B9
        let slot = recent + Int(mixed >> 24)
        let known = slot.pointee
        if known.number != .max, known.fork.relation == relation.relation, known.fork.fork == kind,
            known.fork.database == relation.database, known.fork.tablespace == relation.tablespace
        {
            return known.number
        }
        let fork = relation.fork(kind)
        let number = lookUp(fork)
        slot.pointee = Slot(fork: fork, number: number)
        return number
    }

    private mutating func lookUp(_ fork: RelationFork) -> UInt32 {
        if let known = numbers[fork] { return known }
        let number = UInt32(forks.count)
        forks.append(fork)
        numbers[fork] = number
        return number
    }

    func sorted() -> [RelationFork] { forks.sorted() }

    /// Of each number, the place that its fork has among the sorted ones.
    func ranks() -> [UInt32] {
        var ranks = [UInt32](repeating: 0, count: forks.count)
        for (rank, number) in forks.indices.sorted(by: { forks[$0] < forks[$1] }).enumerated() {
            ranks[number] = UInt32(rank)
        }
        return ranks
    }
}
