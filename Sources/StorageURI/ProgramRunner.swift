/// A program that hands out credentials. Who runs it is handed in: this module starts no process.
public struct ProgramRequest: Sendable {
    /// A path, or a name that is looked up in the `PATH` of `environment`.
    public var program: String
    public var arguments: [String]
    public var environment: [String: String]
    public var timeout: Duration

    public init(program: String, arguments: [String], environment: [String: String], timeout: Duration) {
        self.program = program
        self.arguments = arguments
        self.environment = environment
        self.timeout = timeout
    }
}

/// What a program that has ended left behind.
public struct ProgramResult: Sendable {
    public enum Ending: Sendable, Equatable {
        case exited(Int)
        case killed(signal: Int)
        /// It had not ended when its time was over, and was killed.
        case timedOut
    }
    public let ending: Ending
    public let output: [UInt8]
    /// What it wrote to its standard error.
    public let errors: [UInt8]

    public init(ending: Ending, output: [UInt8], errors: [UInt8]) {
        self.ending = ending
        self.output = output
        self.errors = errors
    }
}

public protocol ProgramRunner: Sendable {
    /// Runs a program to its end. Throws when it cannot be started at all.
    func run(_ request: ProgramRequest) async throws -> ProgramResult
}
