import Foundation
import Glibc
import Testing

@testable import CommandKit

@Suite struct PidFileTests {
    @Test("one holder at a time, and nothing is left to clean up")
    func lock() async throws {
        try await withTemporaryDirectory { directory in
            #expect(PidFile.holder(directory: directory, name: "daemon") == nil)
            do {
                let held = try PidFile(directory: directory, name: "daemon")
                #expect(PidFile.holder(directory: directory, name: "daemon") == getpid())
                let failure = #expect(throws: CommandFailure.self) {
                    _ = try PidFile(directory: directory, name: "daemon")
                }
                #expect(failure?.status == .temporary)
                #expect(failure?.message == "daemon runs on \(directory) already (process \(getpid()))")
                withExtendedLifetime(held) {}
            }
            #expect(PidFile.holder(directory: directory, name: "daemon") == nil)
            _ = try PidFile(directory: directory, name: "daemon")
        }
    }

    @Test("a longer line from before leaves nothing behind, and what is in the file is not believed")
    func stale() async throws {
        try await withTemporaryDirectory { directory in
            try write("999999999\nrubbish\n", to: directory + "/daemon.pid")
            #expect(PidFile.holder(directory: directory, name: "daemon") == nil)
            let held = try PidFile(directory: directory, name: "daemon")
            #expect(try readText(directory + "/daemon.pid") == "\(getpid())\n")
            withExtendedLifetime(held) {}
        }
    }

    @Test("many look while one takes it: the one gets it")
    func lookers() async throws {
        try await withTemporaryDirectory { directory in
            try write("1\n", to: directory + "/daemon.pid")
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<2 {
                    group.addTask {
                        while !Task.isCancelled {
                            _ = PidFile.holder(directory: directory, name: "daemon")
                            usleep(500)
                        }
                    }
                }
                for _ in 0..<50 {
                    #expect(throws: Never.self) { _ = try PidFile(directory: directory, name: "daemon") }
                }
                group.cancelAll()
            }
        }
    }

    @Test("a service manager is told by a path and by an abstract name", arguments: [false, true])
    func notify(isAbstract: Bool) async throws {
        try await withTemporaryDirectory { directory in
            let name = isAbstract ? "@zenith-test-\(UUID().uuidString)" : directory + "/socket"
            let listener = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
            defer { close(listener) }
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            var bytes = Array(name.utf8)
            if isAbstract { bytes[0] = 0 }
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
            let length = socklen_t(2 + bytes.count + (isAbstract ? 0 : 1))
            let bound = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, length) }
            }
            try #require(bound == 0)
            #expect(notifyServiceManager("READY=1", socketName: name))
            var buffer = [UInt8](repeating: 0, count: 100)
            let count = recv(listener, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            #expect(String(decoding: buffer.prefix(max(0, count)), as: UTF8.self) == "READY=1")
        }
    }

    @Test("no service manager, or one that is gone, is no obstacle")
    func noServiceManager() {
        #expect(!notifyServiceManager("READY=1", socketName: nil))
        #expect(!notifyServiceManager("READY=1", socketName: "/nonexistent/socket"))
        #expect(!notifyServiceManager("READY=1", socketName: "relative"))
        #expect(!notifyServiceManager("READY=1", socketName: "/" + String(repeating: "x", count: 200)))
    }
}
