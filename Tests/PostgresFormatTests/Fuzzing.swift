import TestSupport

extension SeededGenerator {
    /// A text of up to `limit` of these characters.
    mutating func text(of characters: String, limit: Int) -> String {
        String((0..<Int.random(in: 0...limit, using: &self)).map { _ in characters.randomElement(using: &self)! })
    }
}
