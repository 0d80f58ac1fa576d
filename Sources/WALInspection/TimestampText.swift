/// A point in time as PostgreSQL's structs hold it, in text.
enum TimestampText {
    /// From 1970 to 2000, PostgreSQL's beginning.
    private static let epochSeconds: Int64 = 946_684_800

    /// `2026-11-26 17:02:04.123456 UTC`, from microseconds since 2000.
    static func microseconds(_ value: Int64) -> String {
        let (seconds, fraction) = floorDivide(value, 1_000_000)
        return "\(day(seconds + epochSeconds)).\(digits(fraction, 6)) UTC"
    }

    /// `2026-11-26 17:02:04`, from seconds since 1970. Days by Howard Hinnant's `civil_from_days`.
    private static func day(_ seconds: Int64) -> String {
        let (days, second) = floorDivide(seconds, 86400)
        let (era, dayOfEra) = floorDivide(days + 719_468, 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return "\(digits(year, 4))-\(digits(month, 2))-\(digits(dayOfYear - (153 * shifted + 2) / 5 + 1, 2)) "
            + "\(digits(second / 3600, 2)):\(digits(second / 60 % 60, 2)):\(digits(second % 60, 2))"
    }

    private static func floorDivide(_ value: Int64, _ divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }

    private static func digits(_ value: Int64, _ count: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
    }
}
