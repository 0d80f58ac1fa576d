import Foundation

/// What a finished program left behind.
public struct ShellResult: Sendable {
    public let status: Int32
    public let output: String
    public let error: String
}

/// Runs a program to its end. `environment` is added to this process's own; a nil value removes a variable.
public func run(
    _ arguments: [String], environment: [String: String?] = [:], directory: String? = nil
) throws -> ShellResult {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    // Threads of the concurrency runtime block all signals, and children would inherit that.
    process.arguments = ["--default-signal"] + arguments
    var variables = ProcessInfo.processInfo.environment
    for (name, value) in environment { variables[name] = value }
    process.environment = variables
    if let directory { process.currentDirectoryURL = URL(fileURLWithPath: directory) }
    // Files, not pipes: a program that leaves a daemon behind keeps a pipe open for ever.
    let base = NSTemporaryDirectory() + "zenith-run-\(UUID().uuidString)"
    let (outPath, errorPath) = (base + ".out", base + ".err")
    for path in [outPath, errorPath] { _ = FileManager.default.createFile(atPath: path, contents: nil) }
    defer { for path in [outPath, errorPath] { try? FileManager.default.removeItem(atPath: path) } }
    process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: outPath))
    process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: errorPath))
    process.standardInput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    return ShellResult(
        status: process.terminationStatus,
        output: String(decoding: FileManager.default.contents(atPath: outPath) ?? Data(), as: UTF8.self),
        error: String(decoding: FileManager.default.contents(atPath: errorPath) ?? Data(), as: UTF8.self))
}
