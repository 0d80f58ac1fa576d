import Glibc
import StorageURI
import TestSupport
import Testing

@testable import ObjectStorage

/// What a network does wrong, done by a proxy before a real server: the work is done all the same, once, and nothing is
/// left behind.
@Suite("SFTP with faults", .timeLimit(.minutes(30)))
struct SSHFaultTests {
    private typealias Rule = TCPProxy.Rule

    /// A store behind a proxy of its own, with a connection already open.
    private func store(
        _ service: SSHTestService, _ prefix: String, _ adjust: (inout SSHOptions) -> Void = { _ in }
    ) async throws -> (SSHObjectStore, TCPProxy) {
        let server = try await service.server
        let proxy = try await TCPProxy(to: server.authority)
        return (server.store(prefix: prefix, port: proxy.port, adjust), proxy)
    }

    /// A put has a dozen messages each way. A connection cut after any of their bytes has had any of them lost: the
    /// request, or the answer of what was done.
    @Test(
        "an object is written once, wherever the connection breaks", arguments: SSHTestService.allCases,
        Rule.Way.allCases)
    private func writtenOnce(service: SSHTestService, way: Rule.Way) async throws {
        let prefix = uniquePrefix("written")
        let (store, proxy) = try await store(service, prefix)
        let bytes = testBytes(5_000)
        // The last cuts come after the last byte: all places were tried.
        var offset = 0
        var missed = 0
        let step = TestSelection.allStorages ? 24 : 120
        while missed < 2 {
            for mode in [PutMode.createOnly, .overwrite] {
                let key = ObjectKey("d/\(offset)-\(mode)")
                try await store.put("warm", .bytes([1]), mode: .overwrite)
                try await proxy.set(.reset(way, at: offset))
                let info = try await store.put(key, .bytes(bytes), mode: mode)
                let wasCut = try await proxy.counts() == [1]
                try await proxy.set()
                #expect(info.sizeBytes == bytes.count)
                #expect(try await store.get(key, range: nil) == bytes, "\(key)")
                await expectFailure(.alreadyExists) { try await store.put(key, .bytes(bytes), mode: .createOnly) }
                if !wasCut { missed += 1 }
            }
            // Where most of what passes is content, one place is like another.
            offset += way == .up && (500..<4_500).contains(offset) ? 1_000 : step
        }
        #expect(try await server(service).leftovers(prefix) == [])
    }

    private func server(_ service: SSHTestService) async throws -> SSHTestServer { try await service.server }

    @Test("another's object is not taken for ours when an answer is lost", arguments: Rule.Way.allCases)
    private func foreign(way: Rule.Way) async throws {
        let (store, proxy) = try await store(.sshd, uniquePrefix("foreign"))
        let bytes = testBytes(5_000)
        for offset in stride(from: 0, to: 1_000, by: TestSelection.allStorages ? 20 : 100) {
            let key = ObjectKey("taken-\(offset)")
            let rival = FileObjectStore(root: store.location.path)
            try await store.put("warm", .bytes([1]), mode: .overwrite)
            // Not there when we look, there when we give the name; the same bytes.
            let body = PieceStream(
                pieces: [bytes],
                whenTaken: {
                    // On the server's own machine, between our look and our name.
                    try? writeFile("\(store.location.path)/\(key)", bytes)
                })
            try await proxy.set(.reset(way, at: offset))
            await expectFailure(.alreadyExists) { try await store.put(key, body.body, mode: .createOnly) }
            try await proxy.set()
            #expect(try await rival.get(key, range: nil) == bytes)
        }
    }

    @Test("a large object goes up in parts, wherever connections break", arguments: SSHTestService.allCases)
    func parts(service: SSHTestService) async throws {
        let prefix = uniquePrefix("parts")
        let (store, proxy) = try await store(service, prefix)
        let bytes = testBytes((5 << 20) + 12_345)
        for (index, offset) in [0, 10_000, 700_000, 1_000_000, 1_100_000].enumerated() {
            try await proxy.set(
                .reset(.up, at: offset), .reset(.down, at: offset / 1000), .reset(.up, at: offset + 300_000))
            let key = ObjectKey("\(index)")
            try await store.put(key, .bytes(bytes), mode: .createOnly)
            #expect(try await proxy.counts().reduce(0, +) > 0)
            try await proxy.set()
            #expect(try await store.get(key, range: nil) == bytes)
        }
        #expect(try await server(service).leftovers(prefix) == [])
    }

    @Test("an object is read whole and unchanged", arguments: SSHTestService.allCases)
    func read(service: SSHTestService) async throws {
        let (store, proxy) = try await store(service, uniquePrefix("read"))
        let bytes = testBytes(3 << 20)
        try await store.put("read", .bytes(bytes), mode: .overwrite)
        for offset in [0, 30, 60, 90, 150, 500, 40_000, 1_000_000, 2_999_999] {
            for range in [nil, 1_000..<2_900_000] {
                try await proxy.set(.reset(.down, at: offset))
                let expected = range.map { Array(bytes[$0]) } ?? bytes
                #expect(same(try await store.get("read", range: range), expected), "\(offset)")
            }
        }
        // Broken again and again, as long as it moves on: more often than there are retries.
        try await proxy.set(.reset(.down, at: 400_000, times: 7))
        #expect(same(try await store.get("read", range: nil), bytes))
        #expect(try await proxy.counts() == [7])
    }

    @Test("an object that is replaced while it is read is the one or the other")
    func replaced() async throws {
        let (store, proxy) = try await store(.sshd, uniquePrefix("replaced"))
        let server = try await SSHTestServer.sshd
        let direct = server.store(prefix: String(store.location.path.split(separator: "/").last ?? ""))
        let (old, new) = (testBytes(3 << 20, seed: 1), testBytes((3 << 20) - 1, seed: 2))
        try await direct.put("o", .bytes(old), mode: .overwrite)
        try await proxy.set(.stall(.down, at: 1_500_000, seconds: 1))
        let reading = Task { try await store.get("o", range: nil) }
        while try await proxy.counts() == [0] { try await Task.sleep(for: .milliseconds(20)) }
        try await direct.put("o", .bytes(new), mode: .overwrite)
        // The old one where the reading was quicker than the writing; never some of each.
        let read = try await reading.value
        #expect(same(read, new) || same(read, old))
    }

    @Test("a server that stalls is given up", arguments: Rule.Way.allCases)
    private func stalls(way: Rule.Way) async throws {
        let (store, proxy) = try await store(.sshd, uniquePrefix("stalls")) { $0.stallTimeout = .seconds(2) }
        let bytes = testBytes(1 << 19)
        try await store.put("o", .bytes(bytes), mode: .createOnly)
        // What is read is long on the way down, what is written on the way up.
        try await proxy.set(.stall(way, at: way == .down ? 200_000 : 100, seconds: 20))
        #expect(try await store.get("o", range: nil) == bytes)
        try await proxy.set(.stall(way, at: way == .down ? 100 : 200_000, seconds: 20))
        try await store.put("p", .bytes(bytes), mode: .createOnly)
        try await proxy.set(.stall(.down, at: 3, seconds: 20))
        let listed = try await store.list(prefix: "", delimiter: nil, after: nil, limit: 9).objects
        #expect(listed.map(\.key) == ["o", "p"])
        #expect(try await proxy.counts() == [1])
    }

    @Test("listing and deleting are repeated", arguments: SSHTestService.allCases)
    func listing(service: SSHTestService) async throws {
        let (store, proxy) = try await store(service, uniquePrefix("listed"))
        let keys = (0..<3).map { ObjectKey("d/key-\($0)") }
        for offset in stride(from: 0, to: 400, by: 36) {
            for way in Rule.Way.allCases {
                for key in keys { try await store.put(key, .bytes([1, 2, 3]), mode: .overwrite) }
                try await proxy.set(.reset(way, at: offset))
                let listed = try await store.list(prefix: "", delimiter: nil, after: nil, limit: 10).objects
                #expect(listed.map(\.key) == keys, "\(offset)")
                try await proxy.set(.reset(way, at: offset))
                try await store.delete(keys)
                try await proxy.set()
                #expect(try await store.isEmpty(), "\(offset)")
            }
        }
    }

    @Test("retries end, and say so")
    func retriesEnd() async throws {
        let (store, proxy) = try await store(.sshd, uniquePrefix("ends"))
        try await proxy.set(.refuse(times: 100))
        let failure = await expectFailure(.unavailable) { try await store.get("any", range: nil) }
        #expect(failure?.description.contains("after 5 tries") == true, "\(failure?.description ?? "")")
        #expect(try await proxy.counts() == [5])
        let away = try await SSHTestServer.sshd.store(prefix: "away", port: TestServer.freePort())
        let unreachable = await expectFailure(.unavailable) { try await away.get("any", range: nil) }
        #expect(unreachable?.description.contains("cannot reach") == true, "\(unreachable?.description ?? "")")
    }

    @Test("a connection is used again and again, until it breaks", arguments: SSHTestService.allCases)
    func reuse(service: SSHTestService) async throws {
        let (store, proxy) = try await store(service, uniquePrefix("reuse"))
        func round(_ number: Int) async throws {
            let key = ObjectKey("d/\(number)")
            try await store.put(key, .bytes(testBytes(3_000_000)), mode: .createOnly)
            #expect(try await store.get(key, range: 5..<10).count == 5)
            #expect(try await store.list(prefix: "d/", delimiter: nil, after: nil, limit: 5).objects.count == 1)
            try await store.delete([key])
        }
        for number in 0..<10 { try await round(number) }
        // The parts of an object have one each.
        let before = try await proxy.connections()
        #expect(before <= 4)
        try await proxy.set(.reset(.down, at: 10))
        try await round(10)
        #expect(try await proxy.connections() <= before + 4)
    }

    @Test("eight objects at once move at once, and no more")
    func overlap() async throws {
        let (store, proxy) = try await store(.sshd, uniquePrefix("overlap"))
        let bytes = testBytes(1 << 20)
        try await store.put("o", .bytes(bytes), mode: .createOnly)
        // None gets behind its first half before all eight have come there; the ninth would wait for ever.
        try await proxy.set(.gather(8, .down, at: 500_000))
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<16 { group.addTask { try await store.get("o", range: nil) == bytes } }
            for try await isWhole in group { #expect(isWhole) }
        }
        #expect(try await proxy.counts() == [8])
    }
}

private func writeFile(_ path: String, _ bytes: [UInt8]) throws {
    let file = try #require(fopen(path, "w"))
    defer { fclose(file) }
    fwrite(bytes, 1, bytes.count, file)
}
