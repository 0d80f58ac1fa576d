import Glibc
import PostgresFormat

/// Pages in memory, found without a hash.
struct PageTable {
    private var forks: [RelationFork: Int] = [:]
    private var pages: [[UnsafeMutableRawPointer?]] = []
    private var recent: [(fork: RelationFork, number: Int)?] = Array(repeating: nil, count: 64)

    /// - Returns: The page, and whether nothing is in it yet.
    mutating func page(_ block: WALBlockReference) -> (UnsafeMutableRawPointer, isNew: Bool) {
        let number = number(block)
        let place = Int(block.block)
        if place < pages[number].count, let known = pages[number][place] { return (known, false) }
        if place >= pages[number].count {
            pages[number] += Array(repeating: nil, count: max(64, place + 1 - pages[number].count + place / 2))
        }
        let page = UnsafeMutableRawPointer.allocate(byteCount: Page.size, alignment: Page.size)
        memset(page, 0, Page.size)
        pages[number][place] = page
        return (page, true)
    }

    private mutating func number(_ block: WALBlockReference) -> Int {
        let fork = block.relation.fork(block.fork)
        let slot = Int((block.relation.relation &* 0x9E37_79B9 &+ UInt32(block.fork.rawValue)) & 63)
        if let known = recent[slot], known.fork == fork { return known.number }
        let number = forks[fork] ?? pages.count
        if number == pages.count {
            forks[fork] = number
            pages.append([])
        }
        recent[slot] = (fork, number)
        return number
    }
}
