import Foundation
import Glibc

/// A program that runs beside the tests and ends with them: it reads its standard input, which is a pipe from here, and
/// stops when that ends, however this process does.
final class ChildProcess: @unchecked Sendable {  // `lock` guards the conversation; nothing else changes
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private let process = Process()
    private let input: FileHandle
    private let output: FileHandle
    private let lock = NSLock()
    private var pending: [UInt8] = []

    init(_ arguments: [String]) throws {
        // Closed at `exec`: a copy of the pipe in some other child would keep this one alive.
        func makePipe() throws -> (reading: FileHandle, writing: FileHandle) {
            var ends: [Int32] = [0, 0]
            guard pipe(&ends) == 0 else { throw Failure(description: "pipe: errno \(errno)") }
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            return (
                FileHandle(fileDescriptor: ends[0], closeOnDealloc: true),
                FileHandle(fileDescriptor: ends[1], closeOnDealloc: true)
            )
        }
        let (childInput, input) = try makePipe()
        let (output, childOutput) = try makePipe()
        (self.input, self.output) = (input, output)
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        process.standardInput = childInput
        process.standardOutput = childOutput
        try process.run()
        try childInput.close()
        try childOutput.close()
    }

    /// The next line that it prints. Blocks.
    func readLine() throws -> String {
        while true {
            if let end = pending.firstIndex(of: 10) {
                let line = String(decoding: pending[..<end], as: UTF8.self)
                pending.removeFirst(end + 1)
                return line
            }
            // Not the handle's own `read`, which waits until it has all that it was asked for.
            var bytes = [UInt8](repeating: 0, count: 4096)
            let count = read(output.fileDescriptor, &bytes, bytes.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                throw Failure(description: "\(process.arguments?.joined(separator: " ") ?? ""): ended")
            }
            pending += bytes[..<count]
        }
    }

    /// Hands it a line, and gives the line that it answers with. Blocks.
    func ask(_ line: String) throws -> String {
        lock.lock()
        defer { lock.unlock() }
        try input.write(contentsOf: Data("\(line)\n".utf8))
        return try readLine()
    }

    /// The path of a script of this project.
    static func script(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("scripts/\(name)").path
    }

    /// Runs what blocks on a thread of its own.
    static func blocking<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Result { try work() }) }
        }
    }
}
