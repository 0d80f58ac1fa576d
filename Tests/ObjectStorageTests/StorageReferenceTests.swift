import Foundation
import ObjectStorage
import StorageURI
import Testing

@Suite("reference of variables")
struct StorageReferenceTests {
    private static let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("docs/storage.md")
    private static let start =
        "<!-- The tables below are made from the declarations in Sources/StorageURI/Variables. -->\n"

    /// With `UPDATE_REFERENCE=1` in the environment the page is brought up to date instead.
    @Test("docs/storage.md holds every declared variable as declared")
    func page() throws {
        let text = try String(contentsOf: Self.page, encoding: .utf8)
        let marker = try #require(text.range(of: Self.start))
        let expected = "\(text[..<marker.upperBound])\n\(ObjectStores.variables.reference)"
        if ProcessInfo.processInfo.environment["UPDATE_REFERENCE"] == "1" {
            try expected.write(to: Self.page, atomically: true, encoding: .utf8)
        } else {
            #expect(text == expected, "run UPDATE_REFERENCE=1 swift test --filter StorageReferenceTests")
        }
        for name in ObjectStores.variables.groups.flatMap({ $0.variables.flatMap(\.names) }) {
            #expect(expected.contains("`\(name)`"))
        }
    }

    @Test("each variable is declared once, and says what it does")
    func declarations() {
        let variables = ObjectStores.variables.groups.flatMap(\.variables)
        let names = variables.flatMap(\.names)
        #expect(Set(names).count == names.count)
        #expect(variables.count > 100)
        for variable in variables {
            #expect(!variable.meaning.isEmpty && !variable.meaning.contains("|") && !variable.unit.contains("|"))
        }
        let secret = Set(variables.filter(\.isSecret).flatMap(\.names))
        let named = names.filter { name in
            ["SECRET", "PASSWORD", "_TOKEN"].contains(where: name.hasSuffix)
        }
        #expect(secret.isSuperset(of: named.filter { $0 != "S3_USE_YC_SESSION_TOKEN" }))
    }
}
