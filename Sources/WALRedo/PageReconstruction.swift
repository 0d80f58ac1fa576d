import PostgresFormat

/// Makes pages as they were at some point, one by one, out of the WAL's bytes: only the records that are about a page are
/// looked at.
public struct PageReconstruction: ~Copyable {
    private var records: WALRecordFetcher
    private let redo: PageRedo

    public init(_ records: consuming WALRecordFetcher, redo: PageRedo) {
        self.records = records
        self.redo = redo
    }

    /// - Parameters:
    ///   - page: Where the history's origin is `.base`, that page as it was: zeros where it was not there. What is there
    ///     does not matter otherwise.
    /// - Throws: `RedoFault`: a record is missing, damaged, or contradicts the page. The page is of no use then.
    public mutating func rebuild(_ history: PageHistory, in page: RedoPage) throws(RedoFault) {
        if history.origin == .nothing { page.bytes.initializeMemory(as: UInt8.self, repeating: 0, count: Page.size) }
        for step in history.steps { try apply(step, to: page) }
    }

    private mutating func apply(_ step: PageHistory.Step, to page: RedoPage) throws(RedoFault) {
        switch step.action {
        case .redo: try redo(step.lsn, step.page.fork, step.page.block, page)
        case .clearMap: try clearMap(step.lsn, step.page.fork, step.page.block, page)
        case .truncateMap(let heapBlocks): VisibilityMap.truncate(page, heapBlocks: heapBlocks)
        }
    }

    @inline(__always)
    private mutating func record(at lsn: LSN) throws(RedoFault) -> WALRecord {
        do throws(FormatError) { return try records.record(at: lsn) } catch { throw RedoFault(error.description) }
    }

    @inline(__always)
    func prepare(_ lsn: LSN) { records.prepare(lsn) }

    @inline(__always)
    mutating func redo(_ lsn: LSN, _ fork: RelationFork, _ number: UInt32, _ page: RedoPage) throws(RedoFault) {
        let record = try record(at: lsn)
        for index in record.blocks.indices {
            let block = record.blocks[index]
            guard block.block == number, block.fork == fork.fork, block.relation == fork.locator else { continue }
            _ = try redo.apply(record, index, to: page)
            return
        }
        throw RedoFault("the record at \(lsn) is not about block \(number) of \(fork)")
    }

    mutating func clearMap(_ lsn: LSN, _ fork: RelationFork, _ block: UInt32, _ page: RedoPage) throws(RedoFault) {
        let record = try record(at: lsn)
        for change in try VisibilityChange.all(record)
        where change.block == block && change.relation == fork.locator {
            _ = change.apply(to: page)
        }
    }
}
