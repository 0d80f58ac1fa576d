import StorageURI
import TestSupport
import Testing

@Suite("locations, random")
struct LocationPropertyTests {
    private static let letters = Array("abcxyz019")
    private static let anything = Array("abcXYZ019-._~%?#@:+ &='\"\\[]{}|^`!$(),;*<>üß日本語é🙂")

    private static func name(_ generator: inout SeededGenerator) -> String {
        let count = Int.random(in: 1...12, using: &generator)
        let text = (0..<count).map { _ in String(anything.randomElement(using: &generator) ?? "a") }.joined()
        return text == "." || text == ".." ? "a" : text
    }

    private static func location(_ generator: inout SeededGenerator) -> StorageLocation {
        let scheme = StorageScheme.allCases.randomElement(using: &generator) ?? .s3
        var container = (0..<Int.random(in: 3...20, using: &generator))
            .map { _ in String(letters.randomElement(using: &generator) ?? "a") }.joined()
        if scheme == .file { container = "" }
        if scheme == .swift { container = name(&generator) }
        let isPath = scheme == .file || scheme == .ssh
        let names = (0..<Int.random(in: isPath ? 1...5 : 0...5, using: &generator)).map { _ in name(&generator) }
        return StorageLocation(
            scheme: scheme, container: container, path: (isPath ? "/" : "") + names.joined(separator: "/"),
            user: scheme == .ssh && Bool.random(using: &generator) ? "u" + name(&generator) : nil,
            port: scheme == .ssh && Bool.random(using: &generator) ? Int.random(in: 1...65535, using: &generator) : nil)
    }

    @Test("what is printed is read back the same")
    func roundTrip() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<3000 {
            let location = Self.location(&generator)
            let text = location.description
            do throws(StorageLocationError) {
                let read = try parse(text)
                #expect(read == location && Array(read.path.utf8) == Array(location.path.utf8), "seed \(seed): \(text)")
                #expect(read.description == text, "seed \(seed)")
            } catch {
                Issue.record("seed \(seed): \(text): \(error)")
            }
        }
    }

    @Test("any bytes give a location in normal form or an error")
    func anyBytes() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var generator = SeededGenerator(seed: seed)
        let starts = [
            "", "s3://", "gs://", "az://", "azure://", "swift://", "oss://", "ssh://", "sftp://me@", "file://", "/",
            "./",
            "../", "S3_PREFIX", "ssh://[", "s3://bucket/",
        ]
        let common = Array("/.:@%?#[]-_~ab01%2e%2F".utf8)
        var accepted = 0
        for _ in 0..<20_000 {
            var bytes = Array((starts.randomElement(using: &generator) ?? "").utf8)
            for _ in 0..<Int.random(in: 0...24, using: &generator) {
                let isCommon = Int.random(in: 0..<4, using: &generator) > 0
                bytes.append(
                    isCommon
                        ? common.randomElement(using: &generator) ?? 0 : UInt8.random(in: 0...255, using: &generator)
                )
            }
            let text = String(decoding: bytes, as: UTF8.self)
            do throws(StorageLocationError) {
                let location = try parse(text)
                accepted += 1
                let names = location.path.split(separator: "/")
                #expect(!names.contains("..") && !names.contains("."), "seed \(seed): \(text)")
                #expect(try parse(location.description) == location, "seed \(seed): \(text)")
            } catch {
                #expect(!error.description.isEmpty)
            }
        }
        #expect(accepted > 500, "seed \(seed)")
    }
}
