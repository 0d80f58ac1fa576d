/// The text of a progress line: numbers in, at most `columns` characters out.
struct ProgressLine {
    let label: String
    let done: Int
    let total: Int?
    let bytesPerSecond: Double

    private static let widestBar = 30
    private static let narrowestBar = 5

    func running(columns: Int) -> String {
        let rate = describeBytes(Int(max(0, bytesPerSecond))) + "/s"
        guard let total, total > 0 else { return fitted([label, describeBytes(done), rate], columns: columns) }
        var parts = [percentage(total), "\(describeBytes(done)) of \(describeBytes(total))", rate]
        if bytesPerSecond >= 1 {
            parts.append(describeSeconds(Double(max(0, total - done)) / bytesPerSecond) + " left")
        }
        return withBar(parts, total: total, columns: columns)
    }

    func finished(seconds: Double, columns: Int) -> String {
        let ending = [
            "\(describeBytes(done)) in \(describeSeconds(seconds))", describeBytes(Int(bytesPerSecond)) + "/s",
        ]
        guard let total, total > 0 else { return fitted([label] + ending, columns: columns) }
        return withBar([percentage(total)] + ending, total: total, columns: columns)
    }

    /// Four characters wide; 100 only when nothing is left.
    private func percentage(_ total: Int) -> String {
        let percent = "\(min(100, Int(Double(min(done, total)) / Double(total) * 100)))%"
        return String(repeating: " ", count: 4 - percent.count) + percent
    }

    private func withBar(_ parts: [String], total: Int, columns: Int) -> String {
        // A last column that is written may wrap.
        let room = columns - 1 - parts.reduce(label.count) { $0 + 2 + $1.count }
        let barWidth = min(Self.widestBar, room - 4)
        guard barWidth >= Self.narrowestBar else { return fitted([label] + parts, columns: columns) }
        let filled = min(barWidth, Int(Double(barWidth) * Double(min(done, total)) / Double(total)))
        let bar = String(repeating: "#", count: filled) + String(repeating: "-", count: barWidth - filled)
        return ([label, "[\(bar)]"] + parts).joined(separator: "  ")
    }

    /// As many of the parts as there is room for, the first ones first.
    private func fitted(_ parts: [String], columns: Int) -> String {
        var line = ""
        for part in parts {
            let longer = line.isEmpty ? part : line + "  " + part
            guard longer.count < columns else { break }
            line = longer
        }
        return line.isEmpty ? String(label.prefix(max(0, columns - 1))) : line
    }
}
