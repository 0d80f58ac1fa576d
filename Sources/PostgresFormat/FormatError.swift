/// Why bytes are not what PostgreSQL would have written. Names no file: whoever read the bytes adds that.
public enum FormatError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Bytes end before the value at `offset`, which needs this many.
    case truncated(offset: Int, needed: Int)
    /// A CRC-32C that does not match what it covers.
    case badCRC(what: String, stored: UInt32, computed: UInt32)
    /// A format or server version that is not 14 to 18; the text names it.
    case unsupportedVersion(String)
    /// Written by a machine of the other byte order.
    case wrongByteOrder(String)
    /// Anything else that cannot be; the text says what.
    case invalid(String)

    public init(_ description: String) { self = .invalid(description) }

    public var description: String {
        switch self {
        case .truncated(let offset, let needed): "cut short: \(needed) bytes are needed at offset \(offset)"
        case .badCRC(let what, let stored, let computed):
            "\(what): the stored CRC is \(hexadecimal(stored, digits: 8)), its bytes give "
                + hexadecimal(computed, digits: 8)
        case .unsupportedVersion(let text), .wrongByteOrder(let text), .invalid(let text): text
        }
    }
}

/// Upper-case hex digits, at least `digits` of them.
package func hexadecimal(_ value: some FixedWidthInteger & UnsignedInteger, digits: Int) -> String {
    let text = String(value, radix: 16, uppercase: true)
    return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
}

/// The value of hex digits of either case, `count.contains(digits)` of them; no sign, no blank, no overflow.
func parseHexadecimal<T: FixedWidthInteger>(
    _ digits: some Collection<UInt8>, count: ClosedRange<Int>, as _: T.Type = T.self, upperCaseOnly: Bool = false
) -> T? {
    guard count.contains(digits.count) else { return nil }
    var value: T = 0
    for digit in digits {
        let nibble: UInt8
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): nibble = digit - UInt8(ascii: "0")
        case UInt8(ascii: "A")...UInt8(ascii: "F"): nibble = digit - UInt8(ascii: "A") + 10
        case UInt8(ascii: "a")...UInt8(ascii: "f") where !upperCaseOnly: nibble = digit - UInt8(ascii: "a") + 10
        default: return nil
        }
        let (shifted, overflow) = value.multipliedReportingOverflow(by: 16)
        guard !overflow else { return nil }
        value = shifted | T(nibble)
    }
    return value
}

/// The value of decimal digits as PostgreSQL prints numbers: no sign, no leading zero, no overflow.
func parseDecimal<T: FixedWidthInteger>(_ digits: some Collection<UInt8>, as _: T.Type = T.self) -> T? {
    guard let first = digits.first, first != UInt8(ascii: "0") || digits.count == 1 else { return nil }
    var value: T = 0
    for digit in digits {
        guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
        let (tenfold, overflow) = value.multipliedReportingOverflow(by: 10)
        let (sum, carry) = tenfold.addingReportingOverflow(T(digit - UInt8(ascii: "0")))
        guard !overflow, !carry else { return nil }
        value = sum
    }
    return value
}
