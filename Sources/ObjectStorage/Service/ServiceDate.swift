import FoundationEssentials

/// The times that services write, and read. All are of UTC.
enum ServiceDate {
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    private static let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]  // from 1970-01-01 on

    /// A time as HTTP's heads have it, after 1970.
    static func httpText(_ date: Date) -> String {
        let seconds = Int(date.timeIntervalSince1970)
        let (days, second) = (seconds / 86_400, seconds % 86_400)
        // From March of the year 0 on, so that the leap day comes last; in eras of 400 years, which are all alike.
        let (era, dayOfEra) = ((days + 719_468) / 146_097, (days + 719_468) % 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = (monthFromMarch + 2) % 12
        let year = era * 400 + yearOfEra + (month < 2 ? 1 : 0)
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : String(number) }
        return "\(weekdays[days % 7]), \(two(day)) \(months[month]) \(year) "
            + "\(two(second / 3600)):\(two(second / 60 % 60)):\(two(second % 60)) GMT"
    }

    /// The date of HTTP's head: `Sun, 06 Nov 1994 08:49:37 GMT`.
    static func http(_ text: String) -> Date? {
        let parts = text.split(separator: " ")
        guard parts.count == 6, let month = months.firstIndex(of: String(parts[2])) else { return nil }
        let time = parts[4].split(separator: ":")
        guard time.count == 3 else { return nil }
        return date([parts[3], Substring(String(month + 1)), parts[1]] + time)
    }

    /// The date of an answer's body: `1994-11-06T08:49:37.000Z`. The fraction is left out.
    static func iso8601(_ text: String) -> Date? {
        let parts = text.prefix(19).split { $0 == "-" || $0 == "T" || $0 == ":" }
        return date(parts)
    }

    /// From year, month, day, hour, minute and second.
    private static func date(_ parts: [Substring]) -> Date? {
        let numbers = parts.compactMap { Int($0) }
        guard parts.count == 6, numbers.count == 6, (1970...9999).contains(numbers[0]),
            (1...12).contains(numbers[1]), (1...31).contains(numbers[2]), (0...23).contains(numbers[3]),
            (0...59).contains(numbers[4]), (0...60).contains(numbers[5])
        else { return nil }
        let month = numbers[1] - 1
        // Days since 1970, counting years from March so that the leap day comes last.
        let year = month < 2 ? numbers[0] - 1 : numbers[0]
        let dayOfYear = (153 * ((month + 10) % 12) + 2) / 5 + numbers[2] - 1
        let days = 365 * year + year / 4 - year / 100 + year / 400 + dayOfYear - 719_468
        return Date(timeIntervalSince1970: Double(days * 86_400 + numbers[3] * 3600 + numbers[4] * 60 + numbers[5]))
    }
}
