/// The candidate that a misspelt name most likely means, or nil when none is near.
func nearestName(to name: String, among candidates: [String]) -> String? {
    let given = Array(name.lowercased().utf8)
    let limit = max(2, given.count / 4)
    var best: (name: String, distance: Int)?
    for candidate in candidates {
        let distance = editDistance(given, Array(candidate.lowercased().utf8))
        if distance <= limit, distance < best?.distance ?? Int.max { best = (candidate, distance) }
    }
    return best?.name
}

/// Insertions, deletions, replacements and swaps of neighbours that make one text of the other.
private func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var beforeLast: [Int] = []
    var last = Array(0...b.count)
    for i in a.indices {
        var row = [i + 1]
        for j in b.indices {
            var distance = min(row[j] + 1, last[j + 1] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { distance = min(distance, beforeLast[j - 1] + 1) }
            row.append(distance)
        }
        (beforeLast, last) = (last, row)
    }
    return last[b.count]
}
