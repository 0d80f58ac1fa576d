/// A page of a relation: a block of a fork.
public struct PageKey: Sendable, Hashable, CustomStringConvertible {
    public var fork: RelationFork
    public var block: UInt32

    @inlinable public init(fork: RelationFork, block: UInt32) {
        self.fork = fork
        self.block = block
    }

    public var description: String { "\(fork) block \(block)" }
}

extension RelationLocator {
    /// One of its forks.
    @inlinable public func fork(_ kind: ForkKind) -> RelationFork {
        RelationFork(tablespace: tablespace, database: database, relation: relation, fork: kind)
    }
}

extension RelationFork {
    /// The relation, without the fork.
    @inlinable public var locator: RelationLocator {
        RelationLocator(tablespace: tablespace, database: database, relation: relation)
    }
}

extension WALBlockReference {
    /// The page that it is about.
    @inlinable public var page: PageKey { PageKey(fork: relation.fork(fork), block: block) }
}
