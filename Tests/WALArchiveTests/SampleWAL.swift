import Foundation
import PostgresFormat
import TestSupport
import WALArchive

/// A directory with WAL files for one test.
final class SampleWAL: Sendable {
    let directory: String
    static let systemIdentifier: UInt64 = 7_711_350_716_358_040_721

    init() throws {
        directory = NSTemporaryDirectory() + "zenith-wal-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    func path(_ name: String) -> String { directory + "/" + name }

    func write(_ bytes: [UInt8], _ name: String) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: path(name)))
        return path(name)
    }

    func read(_ name: String) -> [UInt8]? { FileManager.default.contents(atPath: path(name)).map(Array.init) }

    var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: directory).sorted()) ?? [] }

    /// Writes a segment; returns its path.
    func segment(_ name: String, seed: UInt64 = 1, size: Int = 1 << 20) throws -> String {
        try write(Self.content(name, seed: seed, size: size), name)
    }

    /// Content that compresses to about half, behind a header that fits the name.
    static func content(
        _ name: String, seed: UInt64 = 1, size: Int = 1 << 20, timeline: UInt32? = nil, major: Int = 15,
        systemIdentifier: UInt64 = systemIdentifier
    ) -> [UInt8] {
        var generator = SeededGenerator(seed: seed)
        var bytes = [UInt8](repeating: 0, count: size)
        for index in stride(from: 0, to: size, by: 16) {
            var word = generator.next()
            for offset in 0..<8 {
                bytes[index + offset] = UInt8(truncatingIfNeeded: word)
                word >>= 8
            }
        }
        let segment = WALSegment(fileName: name.prefix(24), size: size)!
        func put<T: FixedWidthInteger>(_ value: T, _ offset: Int) {
            withUnsafeBytes(of: value.littleEndian) { bytes.replaceSubrange(offset..<offset + $0.count, with: $0) }
        }
        put(WALPageHeader.magics[major]!, 0)
        put(UInt16(2), 2)
        put(timeline ?? segment.timeline, 4)
        put(segment.startLSN.rawValue, 8)
        put(UInt32(0), 16)
        put(UInt32(0), 20)
        put(systemIdentifier, 24)
        put(UInt32(size), 32)
        put(UInt32(8192), 36)
        return bytes
    }
}

let first = "000000010000000000000001"

func name(_ text: String) -> WALFileName { WALFileName(text)! }
