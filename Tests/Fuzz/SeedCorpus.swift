import Foundation

/// A directory for each target, with seeds of every kind: few of those that are many.
struct SeedCorpus {
    private let directory: String
    private var seen: [String: Int] = [:]
    private(set) var counts: [String: Int] = [:]
    /// What the fuzzer is told not to go beyond.
    private static let mostBytes = 20_000

    init(_ directory: String) { self.directory = directory }

    /// - Parameter kind: Of each, the first, the third, the ninth and so on are taken.
    mutating func add(_ target: String, kind: String, _ seed: @autoclosure () -> FuzzSeed) throws {
        let name = "\(target)/\(kind)"
        let number = seen[name, default: 0] + 1
        seen[name] = number
        guard Self.isTaken(number) else { return }
        let bytes = seed().bytes
        guard bytes.count <= Self.mostBytes else { return }
        if counts[target] == nil {
            try FileManager.default.createDirectory(
                atPath: "\(directory)/\(target)", withIntermediateDirectories: true)
        }
        counts[target, default: 0] += 1
        try Data(bytes).write(to: URL(fileURLWithPath: "\(directory)/\(name)-\(number)"))
    }

    private static func isTaken(_ number: Int) -> Bool {
        var power = 1
        while power < number { power *= 3 }
        return power == number
    }
}
