import ArgumentParser
import CommandKit
import PostgresFormat

/// Which records.
struct WALFilterOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Only records of this resource manager, or of several with commas.", valueName: "name"))
    var rmgr: [String] = []
    @Option(
        help: ArgumentHelp("Only records about pages of this relation: tablespace/database/file.", valueName: "t/d/r"))
    var rel: String?
    @Option(help: ArgumentHelp("Only records about pages of this fork: main, fsm, vm or init.", valueName: "fork"))
    var fork: String?
    @Option(help: ArgumentHelp("Only records about the page with this number.", valueName: "number"))
    var block: UInt32?
    @Option(help: ArgumentHelp("Only records of this transaction.", valueName: "xid"))
    var xid: UInt32?
    @Option(help: ArgumentHelp("End after so many records.", valueName: "count"))
    var limit: Int?

    func filter() throws(CommandFailure) -> WALFilter {
        if let limit, limit < 1 { throw CommandFailure(.usage, "--limit \(limit) is less than 1") }
        var managers: Set<ResourceManager> = []
        for name in rmgr.flatMap({ $0.split(separator: ",") }) { managers.insert(try manager(name)) }
        return WALFilter(
            managers: managers, relation: try relation(), fork: try forkKind(), block: block, xid: xid)
    }

    private func manager(_ name: Substring) throws(CommandFailure) -> ResourceManager {
        let numbers = (0..<ResourceManager.names.count).map { UInt8($0) } + Array(ResourceManager.firstCustom...255)
        for manager in numbers.map(ResourceManager.init(rawValue:))
        where manager.description.lowercased() == name.lowercased() {
            return manager
        }
        throw CommandFailure(
            .usage, "--rmgr \(name) is unknown",
            hint: "it is one of \(ResourceManager.names.joined(separator: ", ")), or custom128 to custom255")
    }

    private func relation() throws(CommandFailure) -> RelationLocator? {
        guard let rel else { return nil }
        let numbers = rel.split(separator: "/", omittingEmptySubsequences: false).map { UInt32($0) }
        guard numbers.count == 3, let tablespace = numbers[0], let database = numbers[1], let file = numbers[2] else {
            throw CommandFailure(.usage, "--rel \(rel) is no relation, such as 1663/5/16385")
        }
        return RelationLocator(tablespace: tablespace, database: database, relation: file)
    }

    private func forkKind() throws(CommandFailure) -> ForkKind? {
        guard let fork else { return nil }
        guard let found = ForkKind.allCases.first(where: { $0.walName == fork.lowercased() }) else {
            throw CommandFailure(.usage, "--fork \(fork) is none of main, fsm, vm, init")
        }
        return found
    }
}

/// Tells which records are wanted.
struct WALFilter {
    /// Empty: all.
    let managers: Set<ResourceManager>
    let relation: RelationLocator?
    let fork: ForkKind?
    let block: UInt32?
    let xid: UInt32?

    func matches(_ record: WALRecord) -> Bool {
        guard managers.isEmpty || managers.contains(record.manager), xid == nil || xid == record.xid else {
            return false
        }
        if relation == nil, fork == nil, block == nil { return true }
        return record.blocks.contains { reference in
            (relation == nil || relation == reference.relation) && (fork == nil || fork == reference.fork)
                && (block == nil || block == reference.block)
        }
    }
}

extension ForkKind {
    /// As `pg_waldump` names it.
    var walName: String {
        switch self {
        case .main: "main"
        case .freeSpaceMap: "fsm"
        case .visibilityMap: "vm"
        case .initialization: "init"
        }
    }
}
