/// Finds what somebody may have meant.
public enum NearestName {
    /// The candidate closest to `name` by edits, when so close that it is likely meant; the first of equals.
    ///
    /// - Parameter limit: The most edits; by default one for each four characters, at least one.
    public static func find(_ name: String, in candidates: some Sequence<String>, limit: Int? = nil) -> String? {
        let characters = Array(name.utf8)
        var best: (name: String, distance: Int)?
        var limit = limit ?? max(1, min(3, characters.count / 4))
        for candidate in candidates where abs(candidate.utf8.count - characters.count) <= limit {
            let distance = distance(characters, Array(candidate.utf8))
            if distance <= limit, distance < best?.distance ?? .max {
                best = (candidate, distance)
                limit = distance
            }
        }
        return best?.name
    }

    /// Insertions, deletions, replacements and swaps of neighbours that make `a` into `b` (optimal string alignment).
    static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        if a.isEmpty || b.isEmpty { return max(a.count, b.count) }
        var beforePrevious: [Int] = []
        var previous = Array(0...b.count)
        for i in 1...a.count {
            var current = [i]
            current.reserveCapacity(b.count + 1)
            for j in 1...b.count {
                var cost = min(
                    previous[j] + 1, current[j - 1] + 1, previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1))
                if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
                    cost = min(cost, beforePrevious[j - 2] + 1)
                }
                current.append(cost)
            }
            beforePrevious = previous
            previous = current
        }
        return previous[b.count]
    }
}
