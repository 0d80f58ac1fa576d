import CChecksum
import Foundation
import PostgresFormat
import TestSupport
import Testing

@Suite("Pages and their checksums")
struct PageChecksumTests {
    @Test("are those that PostgreSQL wrote", arguments: PostgresInstallation.majors)
    func real(major: Int) throws {
        let cluster = try PostgresCluster(major: major)
        try cluster.start()
        try cluster.run("pgbench", ["-i", "-s", "1", "-q"])
        try cluster.psql("update pgbench_accounts set abalance = 1 where aid % 3 = 0; vacuum pgbench_accounts;")
        try cluster.psql("create extension pageinspect;")
        // A page in shared memory keeps an old checksum: PostgreSQL sets it in the copy that it writes. Read from disk.
        try cluster.stop()
        try cluster.start()
        let path = try cluster.psql("select pg_relation_filepath('pgbench_accounts')")
        let headers = try cluster.psql(
            """
            select concat_ws(' ', lsn, checksum, flags, lower, upper, special, pagesize, version, prune_xid)
            from generate_series(0, 40) b, page_header(get_raw_page('pgbench_accounts', b)) order by b
            """
        ).split(separator: "\n")
        try cluster.stop()
        let file = try ControlFileTests.read(cluster.dataDirectory + "/" + path)
        try #require(file.count >= 300 * Page.size && headers.count == 41)
        file.withUnsafeBytes { raw in
            #expect(PageChecksum.firstBadPage(in: raw, firstBlock: 0) == nil)
            #expect(PageChecksum.firstBadPage(in: raw, firstBlock: 1) == 0)
            for (block, header) in headers.enumerated() {
                let page = Page(raw.baseAddress! + block * Page.size)
                #expect(PageChecksum.compute(page.bytes, block: UInt32(block)) == page.checksum)
                #expect(!page.isNew && page.hasSaneHeader && !page.isAllZero)
                // pageinspect shows the checksum as a signed number.
                let words = [Int(page.flags.rawValue), Int(page.lower), Int(page.upper), Int(page.special)]
                let rest = [page.pageSize, Int(page.layoutVersion), Int(page.pruneXid)]
                let text = (words + rest).map(String.init).joined(separator: " ")
                #expect("\(page.lsn) \(Int16(bitPattern: page.checksum)) \(text)" == header)
            }
            #expect(Page(raw.baseAddress!).flags.contains(.allVisible))
        }
    }

    @Test("of every file of a cluster are right")
    func everyFile() throws {
        let cluster = try PostgresCluster(major: 17)
        var count = 0
        for path in try files(of: cluster.dataDirectory) {
            guard case .relation = DataDirectoryPath.classify(path) else { continue }
            let file = try ControlFileTests.read(cluster.dataDirectory + "/" + path)
            file.withUnsafeBytes { #expect(PageChecksum.firstBadPage(in: $0, firstBlock: 0) == nil, "\(path)") }
            count += 1
        }
        #expect(count > 500)
    }

    @Test("find any changed bit, whichever implementation computes them")
    func corruption() {
        var generator = SeededGenerator()
        let variants = cchecksum_pg_variants()
        for count in [1, 2, 3, 8, 33] {
            // One byte further than aligned: callers promise no alignment.
            var pages = [0] + generator.bytes(count * Page.size)
            pages.withUnsafeMutableBytes { whole in
                let raw = UnsafeMutableRawBufferPointer(rebasing: whole[1...])
                let first = UInt32.random(in: .min ... .max, using: &generator)  // may wrap around
                for index in 0..<count {
                    let page = raw.baseAddress! + index * Page.size
                    page.storeBytes(of: 8000, toByteOffset: 14, as: UInt16.self)
                    PageChecksum.set(page, block: first &+ UInt32(index))
                }
                for variant in 0..<variants {
                    #expect(cchecksum_pg_first_bad_with(variant, raw.baseAddress!, count, first) == count)
                }
                for _ in 0..<20 {
                    let offset = Int.random(in: 0..<raw.count, using: &generator)
                    guard !(14...15).contains(offset % Page.size) else { continue }
                    raw[offset] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
                    for variant in 0..<variants {
                        let found = cchecksum_pg_first_bad_with(variant, raw.baseAddress!, count, first)
                        #expect(found == offset / Page.size, "variant \(variant), seed \(generator.seed)")
                    }
                    #expect(PageChecksum.firstBadPage(in: UnsafeRawBufferPointer(raw), firstBlock: first) != nil)
                    for index in 0..<count {
                        PageChecksum.set(raw.baseAddress! + index * Page.size, block: first &+ UInt32(index))
                    }
                }
            }
        }
    }

    @Test("count new pages as right only when they are all zero")
    func newPages() {
        var pages = [UInt8](repeating: 0, count: 3 * Page.size)
        pages.withUnsafeMutableBytes { raw in
            let bytes = UnsafeRawBufferPointer(raw)
            PageChecksum.set(raw.baseAddress!, block: 0)
            #expect(Page(bytes.baseAddress!).isAllZero && Page(bytes.baseAddress!).isNew)
            #expect(PageChecksum.firstBadPage(in: bytes, firstBlock: 0) == nil)
            for offset in [0, 8, 24, 8191] {
                raw[Page.size + offset] = 1
                #expect(PageChecksum.firstBadPage(in: bytes, firstBlock: 0) == 1)
                #expect(!Page(bytes.baseAddress! + Page.size).isAllZero)
                raw[Page.size + offset] = 0
            }
            // What is no whole page is not looked at.
            raw[2 * Page.size] = 1
            let cut = UnsafeRawBufferPointer(rebasing: bytes[..<(3 * Page.size - 1)])
            #expect(PageChecksum.firstBadPage(in: cut, firstBlock: 0) == nil)
            #expect(PageChecksum.firstBadPage(in: UnsafeRawBufferPointer(start: nil, count: 0), firstBlock: 0) == nil)
        }
    }

    @Test(
        "CRC-32C",
        arguments: [("", 0), ("123456789", 0xE306_9283), ("The quick brown fox jumps over the lazy dog", 0x2262_0404)])
    func crc(text: String, expected: Int) {
        let bytes = Array(text.utf8)
        #expect(cchecksum_crc32c(0, bytes, bytes.count) == UInt32(expected))
    }

    private func files(of directory: String) throws -> [String] {
        let root = directory.hasSuffix("/") ? directory : directory + "/"
        guard let enumerator = FileManager.default.enumerator(atPath: root) else { return [] }
        return enumerator.compactMap { $0 as? String }
    }
}
