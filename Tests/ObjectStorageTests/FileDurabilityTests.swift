import Foundation
import Synchronization
import TestSupport
import Testing

@testable import ObjectStorage

@Suite("file store, when things go wrong", .serialized, .timeLimit(.minutes(30)))
struct FileDurabilityTests {
    /// Where the child process of a test writes: both sides know the parent's number.
    private static func sharedRoot(_ parent: Int32) -> String { "/tmp/zenith-file-tests-\(parent)" }

    @Test("of a process that is killed while it writes, only whole objects are seen")
    func kill() async throws {
        let root = Self.sharedRoot(getpid())
        defer { try? FileManager.default.removeItem(atPath: root) }
        for _ in 0..<4 {
            await #expect(processExitsWith: .signal(SIGKILL)) {
                let store = FileObjectStore(root: FileDurabilityTests.sharedRoot(getppid()))
                let moment = UInt32.random(in: 5_000...80_000)
                Thread.detachNewThread {
                    // Not before something is there; a busy disk may take its time for that.
                    let first = FileDurabilityTests.sharedRoot(getppid()) + "/w1/o1"
                    while access(first, F_OK) != 0 { usleep(1000) }
                    usleep(moment)
                    Glibc.kill(getpid(), SIGKILL)
                }
                await withTaskGroup(of: Void.self) { group in
                    for writer in 0..<4 {
                        group.addTask {
                            for number in 0..<100_000 {
                                let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 300_000)
                                let mode = writer % 2 == 0 ? PutMode.overwrite : .createOnly
                                _ = try? await store.put(
                                    ObjectKey("w\(writer)/o\(number % 50)"), .bytes(bytes), mode: mode)
                            }
                        }
                    }
                }
            }
            let store = FileObjectStore(root: root)
            var count = 0
            for try await object in store.listAll() {
                count += 1
                #expect(object.sizeBytes == 300_000, "\(object.key)")
                let bytes = try await store.get(object.key)
                #expect(bytes.allSatisfy { $0 == bytes[0] }, "\(object.key) is made of two")
            }
            #expect(count > 0)
        }
    }

    @Test("a full and a read-only file system say so, and nothing is left")
    func fullDisk() async throws {
        let directory = try TemporaryDirectory()
        guard geteuid() == 0,
            try run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", directory.path]).status == 0
        else {
            print("skipped: a small file system cannot be mounted here")
            return
        }
        defer { _ = try? run(["umount", "-l", directory.path]) }
        let store = FileObjectStore(root: directory.path + "/root")
        try await store.put("fits", .bytes(testBytes(1000)), mode: .overwrite)
        for body in [ObjectBody.bytes(testBytes(6 << 20)), PieceStream(pieces: [testBytes(6 << 20)]).body] {
            #expect(try await errorCode { try await store.put("large", body, mode: .overwrite) } == .full)
        }
        #expect(try await store.exists("large") == false)
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path + "/root") == ["fits"])
        // A program that another test has just started may hold the removed file for a moment.
        var code: ObjectStoreError.Code? = .full
        for _ in 0..<300 where code == .full {
            code = try await errorCode { try await store.put("again", .bytes(testBytes(1 << 20)), mode: .createOnly) }
            if code == .full { try await Task.sleep(for: .milliseconds(100)) }
        }
        #expect(code == nil)

        try #require(try run(["mount", "-o", "remount,ro", directory.path]).status == 0)
        #expect(try await errorCode { try await store.put("new", .bytes([1]), mode: .overwrite) } == .full)
        #expect(try await errorCode { try await store.delete(["fits"]) } == .full)
        #expect(try await store.get("fits") == testBytes(1000))
    }

    @Test("a directory without permission is denied")
    func permissions() async throws {
        let root = Self.sharedRoot(getpid())
        defer { try? FileManager.default.removeItem(atPath: root) }
        try FileManager.default.createDirectory(atPath: root + "/closed", withIntermediateDirectories: true)
        try FileManager.default.setAttributes([.posixPermissions: 0o555], ofItemAtPath: root + "/closed")
        await #expect(processExitsWith: .success) {
            if geteuid() == 0 { try #require(seteuid(65534) == 0) }
            let root = FileDurabilityTests.sharedRoot(getppid())
            let store = FileObjectStore(root: root + "/closed")
            #expect(try await errorCode { try await store.put("o", .bytes([1]), mode: .overwrite) } == .denied)
            #expect(try await errorCode { try await store.put("d/o", .bytes([1]), mode: .createOnly) } == .denied)
            #expect(try await store.isEmpty())
        }
    }

    @Test("the file, its directory, and each directory that was made are synced before a put returns")
    func synced() async throws {
        guard try run(["which", "strace"]).status == 0 else {
            print("skipped: strace is not installed")
            return
        }
        let root = Self.sharedRoot(getpid())
        defer { try? FileManager.default.removeItem(atPath: root) }
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        let trace = NSTemporaryDirectory() + "zenith-trace-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: trace) }
        // A program of its own: a tracer of this process would stop all that other tests start.
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let zenith = (own as NSString).deletingLastPathComponent + "/zenith"
        let put = try run([
            "env", "-i", "--default-signal", "strace", "-f", "-y", "-o", trace, "-e",
            "trace=fsync,fdatasync,mkdirat,linkat,renameat,renameat2,rename,unlinkat", zenith, "storage", "put",
            root + "/one/two/object", "/etc/hostname",
        ])
        guard put.status == 0 else {
            try #require(put.error.contains("ptrace"), "\(put.error)")
            print("skipped: strace may not trace here")
            return
        }
        let text = String(decoding: FileManager.default.contents(atPath: trace) ?? Data(), as: UTF8.self)
        let calls = text.split(separator: "\n").map(String.init)
        func index(_ parts: String...) -> Int? {
            calls.firstIndex { call in parts.allSatisfy { call.contains($0) } }
        }
        let made = try #require(index("mkdirat", "\"two\""))
        #expect(try #require(index("fsync", "\(root)>")) < made)
        let data = try #require(index("fdatasync", "\(root)/one/two/.zenith-tmp-"))
        #expect(try #require(index("fsync", "\(root)/one>")) < data)
        let link = try #require(index("linkat", "\"object\""))
        #expect(data < link)
        let last = try #require(calls.lastIndex { $0.contains("fsync") && $0.contains("\(root)/one/two>") })
        #expect(link < last)
    }
}
