import Foundation
import Testing

@testable import CommandKit

@Suite struct ReferenceTests {
    /// With `UPDATE_DOCS=1` in the environment the page is brought up to date instead.
    @Test("docs/configuration.md has the table of the settings word for word")
    func page() throws {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("docs/configuration.md").path
        let text = try readText(path)
        let start = try #require(text.range(of: "<!-- settings: [^\n]*-->\n", options: .regularExpression)).upperBound
        let end = try #require(text.range(of: "<!-- end of settings -->")).lowerBound
        if ProcessInfo.processInfo.environment["UPDATE_DOCS"] == "1" {
            try write(text.replacingCharacters(in: start..<end, with: Settings.reference), to: path)
        } else {
            #expect(String(text[start..<end]) == Settings.reference)
        }
    }

    @Test("each setting is declared completely, and once")
    func declarations() {
        #expect(Set(Settings.all.map(\.key)).count == Settings.all.count)
        for setting in Settings.all {
            #expect(setting.key.allSatisfy { $0.isLowercase || $0 == "_" })
            #expect(!setting.meaning.hasSuffix(".") && setting.meaning.first?.isUppercase == true)
            #expect(setting.defaultText != nil || setting.example != nil, "\(setting.key) has nothing to show")
        }
    }
}
