import TestSupport
import Testing

@testable import ObjectStorage

/// A kind of storage that is reached by HTTP, and what the cases of `RemoteCase` have to know of it.
struct RemoteTarget: Sendable {
    enum Identity: Sendable { case good, wrong }

    /// A request, by its method and a pattern in its path and query.
    struct Request: Sendable {
        var method: String
        var target: String?
    }

    /// The service's own host and port.
    var authority: String
    /// What writes an object of 100,000 bytes, and nothing else.
    var write: Request
    /// What deletes three objects; the first one or the only one of several requests.
    var delete: Request
    /// Whether a body that was changed on its way up is found out. The service has to compare a digest.
    var findsChangedUpload = true
    /// The same on the way down, for a whole object.
    var findsChangedDownload = true
    /// Quick to repeat, four retries, under a prefix of its own.
    ///
    /// - Parameters:
    ///   - authority: The service, or a proxy before it.
    ///   - stallTimeout: Nil: patient.
    var open:
        @Sendable (_ authority: String, _ prefix: String, _ identity: Identity, _ stallTimeout: Duration?) async throws
            -> any ObjectStore

    func store(
        _ proxy: FaultProxy, prefix: String, identity: Identity = .good, stallTimeout: Duration? = nil
    ) async throws -> any ObjectStore { try await open(proxy.authority, prefix, identity, stallTimeout) }
}

/// What a network and a service do wrong, done by a proxy before a real service: the work is done all the same, once.
/// A suite runs all of `RemoteCase.all` on each of its services, as with `ConformanceCase`.
struct RemoteCase: Sendable, CustomTestStringConvertible {
    let name: String
    private let body: @Sendable (RemoteTarget, FaultProxy) async throws -> Void
    var testDescription: String { name }

    private init(_ name: String, _ body: @escaping @Sendable (RemoteTarget, FaultProxy) async throws -> Void) {
        self.name = name
        self.body = body
    }

    func run(_ target: RemoteTarget) async throws { try await body(target, FaultProxy(to: target.authority)) }

    private typealias Rule = FaultProxy.Rule

    /// Not for all faults: on a busy machine a real answer may take a while.
    private static let impatience = Duration.seconds(2)

    static let all: [RemoteCase] = [
        RemoteCase("an object is written once, with the bytes given") { target, proxy in
            let prefix = uniquePrefix("written")
            let store = try await target.store(proxy, prefix: prefix)
            var faults: [(String, Rule)] = [
                ("500", .internalError), ("500 after the work", .internalErrorAfterwards),
                ("slow down", .slowDown(retryAfter: 1)), ("reset", .resetRequest), ("answer lost", .loseAnswer),
                ("upload broken", .resetUpload(at: 60_000)), ("stall", .stall(seconds: 20)),
            ]
            if target.findsChangedUpload { faults.append(("upload changed", .corruptUpload(at: 70_000))) }
            // The service's create-if-absent is known from here on.
            try await store.put("first", .bytes([1]), mode: .createOnly)
            for (index, (name, fault)) in faults.enumerated() {
                let bytes = testBytes(100_000, seed: UInt64(index))
                let stall = name == "stall" ? impatience : nil
                let store = try await target.store(proxy, prefix: prefix, stallTimeout: stall)
                for mode in [PutMode.createOnly, .overwrite] {
                    let key = ObjectKey("\(name)-\(mode)")
                    try await proxy.set(fault.on(target.write.method, target.write.target))
                    let info = try await store.put(key, .bytes(bytes), mode: mode)
                    #expect(try await proxy.counts() == [1], "\(key)")
                    #expect(info.sizeBytes == bytes.count)
                    #expect(same(try await store.get(key, range: nil), bytes), "\(key)")
                }
            }
        },
        RemoteCase("another's object is not taken for ours when an answer is lost") { target, proxy in
            let store = try await target.store(proxy, prefix: uniquePrefix("foreign"))
            let bytes = testBytes(100_000)
            try await store.put("taken", .bytes(bytes), mode: .createOnly)
            try await proxy.set(Rule.loseAnswer.on(target.write.method, target.write.target))
            await expectFailure(.alreadyExists) { try await store.put("taken", .bytes(bytes), mode: .createOnly) }
        },
        RemoteCase("an object is read whole and unchanged") { target, proxy in
            let prefix = uniquePrefix("read")
            let patient = try await target.store(proxy, prefix: prefix)
            let bytes = testBytes(3 << 20)
            try await patient.put("read", .bytes(bytes), mode: .overwrite)
            let faults: [(String, Rule)] = [
                ("500", .internalError), ("slow down", .slowDown(retryAfter: 1)), ("reset", .resetRequest),
                ("answer lost", .loseAnswer), ("broken at once", .resetDownload(at: 0)),
                ("broken", .resetDownload(at: 2_000_000)), ("ended early", .truncate(at: 1_000_000)),
                ("stall", .stall(seconds: 20)),
            ]
            for (name, fault) in faults {
                let stall = name == "stall" ? impatience : nil
                let store = try await target.store(proxy, prefix: prefix, stallTimeout: stall)
                for range in [nil, 1_000..<2_900_000] {
                    try await proxy.set(fault.on("GET", "read"))
                    let expected = range.map { Array(bytes[$0]) } ?? bytes
                    #expect(same(try await store.get("read", range: range), expected), "\(name)")
                    #expect(try await proxy.counts() == [1], "\(name)")
                }
            }
            // Broken again and again, as long as it moves on.
            try await proxy.set(Rule.resetDownload(at: 400_000).on("GET", "read", times: 7))
            #expect(same(try await patient.get("read", range: nil), bytes))
            if target.findsChangedDownload {
                try await proxy.set(Rule.corrupt(at: 1_234_567).on("GET", "read"))
                #expect(same(try await patient.get("read", range: nil), bytes))
                #expect(try await proxy.counts() == [1])
            }
        },
        RemoteCase("listing and deleting are repeated") { target, proxy in
            let store = try await target.store(proxy, prefix: uniquePrefix("listed"))
            let faults: [(String, Rule)] = [
                ("500", .internalErrorAfterwards), ("reset", .resetRequest), ("answer lost", .loseAnswer),
                ("broken", .resetDownload(at: 40)), ("ended early", .truncate(at: 60)),
            ]
            let keys = (0..<3).map { ObjectKey("key-\($0)") }
            for (name, fault) in faults {
                for key in keys { try await store.put(key, .bytes([1, 2, 3]), mode: .overwrite) }
                try await proxy.set(fault.on("GET"))
                let listed = try await store.list(prefix: "", delimiter: nil, after: nil, limit: 10).objects
                #expect(listed.map(\.key) == keys, "\(name)")
                #expect(try await proxy.counts() == [1], "\(name)")
                // An answer to a deletion may have no body that could break.
                try await proxy.set(fault.on(target.delete.method, target.delete.target))
                try await store.delete(keys)
                #expect(try await proxy.counts() == [1], "\(name)")
                #expect(try await store.isEmpty(), "\(name)")
            }
        },
        RemoteCase("retries end, and say so") { target, proxy in
            let store = try await target.store(proxy, prefix: uniquePrefix("ends"))
            try await proxy.set(Rule.internalError.on("GET", times: 100))
            let failure = await expectFailure(.unavailable) { try await store.get("any", range: nil) }
            #expect(failure?.description.contains("after 5 tries") == true, "\(failure?.description ?? "")")
            try await proxy.set(Rule.slowDown(retryAfter: 0).on("GET", times: 100))
            await expectFailure(.throttled) { try await store.get("any", range: nil) }
            #expect(try await proxy.counts() == [5])
        },
        RemoteCase("wrong credentials are refused, and said to be") { target, proxy in
            let store = try await target.store(proxy, prefix: uniquePrefix("refused"), identity: .wrong)
            await expectFailure(.denied) { try await store.put("a", .bytes([1]), mode: .createOnly) }
            await expectFailure(.denied) { try await store.get("a", range: nil) }
            await expectFailure(.denied) { try await store.list(prefix: "", delimiter: nil, after: nil, limit: 1) }
        },
        RemoteCase("a service that cannot be reached is said to be away, by its name") { target, _ in
            let authority = "127.0.0.1:\(try TestServer.freePort())"
            let store = try await target.open(authority, uniquePrefix("away"), .good, nil)
            let failure = await expectFailure(.unavailable) { try await store.get("a", range: nil) }
            #expect(failure?.description.contains("cannot reach") == true, "\(failure?.description ?? "")")
        },
    ]
}
