extension RawClient {
    /// What a consumer says in its life.
    private static func real(_ position: UInt64) -> [[UInt8]] {
        [
            ordinaryStartup, query("IDENTIFY_SYSTEM"), query("SHOW wal_segment_size"),
            query("CREATE_REPLICATION_SLOT \"a\" TEMPORARY PHYSICAL (RESERVE_WAL)"),
            query("START_REPLICATION SLOT \"a\" 0/\(String(position, radix: 16)) TIMELINE 1"),
            status(position + 0x40000, asks: true),
            message("d", [UInt8(ascii: "h")] + [UInt8](repeating: 7, count: 24)), message("c"),
            query("TIMELINE_HISTORY 2"), message("S"), message("X"),
        ]
    }

    /// What a hostile client may send: noise, or a consumer's messages cut and changed.
    ///
    /// - Parameter position: Where WAL is that it may ask for.
    public static func hostile(_ generator: inout SeededGenerator, at position: UInt64 = 0x100000) -> [UInt8] {
        let real = real(position)
        if Int.random(in: 0..<5, using: &generator) == 0 {
            return generator.bytes(Int.random(in: 0..<3000, using: &generator))
        }
        // Often a sound start, so that what follows is looked at.
        var messages = Bool.random(using: &generator) ? [real[0]] : []
        for _ in 0..<Int.random(in: 1...12, using: &generator) {
            messages.append(real.randomElement(using: &generator)!)
        }
        var bytes = messages.flatMap { $0 }
        let first = Bool.random(using: &generator) ? min(real[0].count, bytes.count - 1) : 0
        for _ in 0..<Int.random(in: 0...4, using: &generator) {
            let place = Int.random(in: first..<bytes.count, using: &generator)
            switch Int.random(in: 0..<4, using: &generator) {
            case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
            case 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 2: bytes.insert(contentsOf: generator.bytes(3), at: place)
            default: bytes.removeSubrange(place..<min(place + 2, bytes.count))
            }
            if bytes.count <= first + 1 { break }
        }
        if Int.random(in: 0..<4, using: &generator) == 0 {
            bytes = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &generator)))
        }
        return bytes
    }
}
