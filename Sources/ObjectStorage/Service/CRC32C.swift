import CChecksum
import Digests

/// The CRC-32C of bytes that come one after the other.
struct CRC32C: Sendable, Equatable {
    private(set) var value: UInt32

    init(_ value: UInt32 = 0) { self.value = value }

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        value = cchecksum_crc32c(value, bytes.baseAddress, bytes.count)
    }

    static func of(_ bytes: [UInt8]) -> CRC32C {
        var checksum = CRC32C()
        bytes.withUnsafeBytes { checksum.update($0) }
        return checksum
    }

    /// As services write it: four bytes, the highest first, in Base64.
    var base64: String { withUnsafeBytes(of: value.bigEndian) { Array($0) }.base64 }

    static func value(base64 text: String) -> UInt32? {
        guard let bytes = [UInt8](base64: text), bytes.count == 4 else { return nil }
        return bytes.reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// The value in Google's `x-goog-hash`, of which there may be several.
    static func value(googleHash headers: HTTPHeaders) -> UInt32? {
        let items = headers.fields.lazy.filter { $0.name == "x-goog-hash" }.flatMap { $0.value.split(separator: ",") }
        for item in items {
            let text = item.drop { $0 == " " }
            if text.hasPrefix("crc32c=") { return value(base64: String(text.dropFirst(7))) }
        }
        return nil
    }
}
