public import ArgumentParser
import Glibc

/// The whole life of a program: parses the command line, runs the command, says what went wrong, exits.
///
/// Called by `main` and nothing else. `--help` and `--version` exit with 0, a command line that does not parse with
/// 64, and a failing command with the code of its `CommandFailure`. A failure begins with one line on standard error
/// that stands for itself: `zenith: …`.
public func launch(
    _ root: any ParsableCommand.Type, arguments: [String] = Array(CommandLine.arguments.dropFirst())
) async -> Never {
    // A reader that went away is an error of the write, not the end of a daemon.
    signal(SIGPIPE, SIG_IGN)
    let name = root.configuration.commandName ?? String(describing: root).lowercased()
    var command: any ParsableCommand
    do {
        command = try root.parseAsRoot(normalizedOptionNames(arguments))
    } catch {
        endParsing(root, name: name, error)
    }
    do {
        if var asynchronous = command as? any AsyncParsableCommand {
            try await asynchronous.run()
        } else {
            try command.run()
        }
    } catch let error where isOfParser(error) {
        endParsing(root, name: name, error)
    } catch {
        fail(name: name, CommandFailure(error))
    }
    exit(ExitStatus.done.rawValue)
}

/// Runs `body` and exits: with 0, or with the code of what it throws, after printing it.
public func runCommand(name: String, _ body: () async throws -> Void) async -> Never {
    do { try await body() } catch { fail(name: name, CommandFailure(error)) }
    exit(ExitStatus.done.rawValue)
}

/// Prints the failure on standard error, its one line first, tells whoever waits for this daemon, and exits.
public func fail(name: String, _ failure: CommandFailure) -> Never {
    StandardError.write("\(name): \(failure)\n")
    Readiness.shared.failed(failure)
    exit(failure.status.rawValue)
}

/// Errors of the argument parser, which knows itself how to show them: usage, `--help`, a request for help in `run`.
private func isOfParser(_ error: any Error) -> Bool {
    error is ValidationError || error is CleanExit || error is ExitCode
        || String(reflecting: type(of: error)).hasPrefix("ArgumentParser.")
}

private func endParsing(_ root: any ParsableCommand.Type, name: String, _ error: any Error) -> Never {
    let code = root.exitCode(for: error)
    if code.isSuccess {
        StandardOutput.write(root.fullMessage(for: error) + "\n")
        exit(ExitStatus.done.rawValue)
    }
    // `exit(code)` of a command that has already said all there is to say.
    if error is ExitCode { exit(code.rawValue) }
    let message = root.message(for: error)
    // The parser's text is "Error: <message>", then the usage.
    let usage = root.fullMessage(for: error).split(separator: "\n", omittingEmptySubsequences: false)
        .dropFirst(message.split(separator: "\n", omittingEmptySubsequences: false).count)
    let failure = CommandFailure(.usage, message)
    StandardError.write(([name + ": " + failure.message] + usage).joined(separator: "\n") + "\n")
    Readiness.shared.failed(failure)
    exit(ExitStatus.usage.rawValue)
}
