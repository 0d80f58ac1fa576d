import Foundation
import Logging
import SystemPackage
import TestSupport
import Testing

@testable import CommandKit

@Suite struct OutputTests {
    @Test("the progress line has all that there is room for")
    func progressLine() {
        let line = ProgressLine(label: "import", done: 720 << 20, total: 1600 << 20, bytesPerSecond: Double(512 << 20))
        let full = line.running(columns: 120)
        #expect(full == "import  [#############-----------------]   45%  720 MB of 1.6 GB  512 MB/s  0:02 left")
        #expect(line.running(columns: 66) == "import  [####------]   45%  720 MB of 1.6 GB  512 MB/s  0:02 left")
        #expect(line.running(columns: 40) == "import   45%  720 MB of 1.6 GB")
        #expect(line.running(columns: 10) == "import")
        #expect(line.running(columns: 4) == "imp")
        let open = ProgressLine(label: "import", done: 5 << 20, total: nil, bytesPerSecond: 1024)
        #expect(open.running(columns: 80) == "import  5.0 MB  1.0 kB/s")
        #expect(
            ProgressLine(label: "push", done: 100, total: 100, bytesPerSecond: 50).finished(seconds: 2, columns: 60)
                == "push  [######################]  100%  100 B in 0:02  50 B/s")
    }

    @Test("no line is as wide as the terminal, whatever the numbers")
    func progressWidth() {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededGenerator(seed: seed)
        for _ in 0..<2000 {
            let columns = Int.random(in: 1...200, using: &random)
            let line = ProgressLine(
                label: "export", done: Int.random(in: 0 ... .max, using: &random),
                total: Bool.random(using: &random) ? Int.random(in: 0 ... .max, using: &random) : nil,
                bytesPerSecond: Double.random(in: 0...1e15, using: &random))
            #expect(line.running(columns: columns).count < max(columns, 1), "seed \(seed)")
            #expect(line.finished(seconds: 1e9, columns: columns).count < max(columns, 1), "seed \(seed)")
        }
    }

    @Test(
        "bytes for people",
        arguments: [
            (0, "0 B"), (1023, "1023 B"), (1024, "1.0 kB"), (10_189, "10 kB"), (720 << 20, "720 MB"),
            (1600 << 20, "1.6 GB"), ((1 << 20) - 1, "1.0 MB"), (Int.max, "8.0 EB"),
        ])
    func bytes(count: Int, text: String) { #expect(describeBytes(count) == text) }

    @Test("times for people", arguments: [(1.6, "0:02"), (754, "12:34"), (11_100, "3:05:00"), (1e12, "99:59:59")])
    func seconds(count: Double, text: String) { #expect(describeSeconds(count) == text) }

    @Test("the rate is that of the last seconds")
    func rate() {
        var samples = RateSamples()
        var rate = 0.0
        for tenth in 1...200 {
            let seconds = Double(tenth) / 10
            // A fast start, then 100 bytes a second.
            rate = samples.add(bytes: 1_000_000 + Int(seconds * 100), at: seconds, start: 0)
        }
        #expect(abs(rate - 100) < 1)
    }

    @Test("columns of a table line up")
    func table() {
        var table = Table(("name", .left), ("size", .right))
        table.add("a", "1 MB")
        table.add("longer", "12 MB")
        #expect(table.text == "name     size\na        1 MB\nlonger  12 MB\n")
    }

    @Test("JSON has sorted keys, plain slashes and dates in ISO 8601")
    func json() throws {
        struct Result: Encodable {
            let storage = "s3://b/p"
            let created = Date(timeIntervalSince1970: 0)
        }
        #expect(
            try jsonText(Result())
                == "{\n  \"created\" : \"1970-01-01T00:00:00Z\",\n  \"storage\" : \"s3://b/p\"\n}")
    }

    @Test("a log line is one line, and its values can be told apart")
    func logLine() {
        #expect(utcTimestamp(Date(timeIntervalSince1970: 1_795_433_400.1236)) == "2026-11-23T11:30:00.123Z")
        let line = LineLogHandler.line(
            time: "T", level: .warning, label: "pageserver", message: "bad\nline",
            metadata: ["key": "a=\"b c\"", "plain": "x", "empty": ""])
        #expect(line == "T WARNING pageserver: bad; line empty=\"\" key=\"a=\\\"b c\\\"\" plain=x\n")
    }

    @Test("the log goes on in a new file after the old one was moved away")
    func reopen() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory + "/log"
            let output = try LogOutput(path: path)
            var logger = Logger(label: "test") { LineLogHandler(label: $0, output: output, level: .info) }
            logger[metadataKey: "n"] = "1"
            logger.info("one")
            logger.debug("hidden")
            try FileManager.default.moveItem(atPath: path, toPath: path + ".1")
            logger.info("two")
            try output.reopen()
            logger.error("three")
            #expect(try readText(path + ".1").split(separator: "\n").count == 2)
            #expect(try readText(path).hasSuffix("Z ERROR test: three n=1\n"))
        }
    }
}
