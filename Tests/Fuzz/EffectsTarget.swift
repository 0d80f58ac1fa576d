import Glibc
import PostgresFormat
import WALRedo

/// What records of any manager do besides changing pages.
enum EffectsTarget {
    static func seed(major: Int, _ record: [UInt8]) -> FuzzSeed {
        var seed = FuzzSeed(major: major)
        seed.append(record)
        return seed
    }

    static func take(_ bytes: UnsafeRawBufferPointer) {
        var input = FuzzInput(bytes)
        let major = input.major()
        input.withRecord(nil, major: major) { record in
            let page = UnsafeMutableRawPointer.allocate(byteCount: Page.size, alignment: 8)
            defer { page.deallocate() }
            memset(page, 0, Page.size)
            var effects: [RecordEffect] = []
            try? RecordEffects(major: major).append(of: record, to: &effects)
            for case .slru(let change) in effects { change.apply(to: page) }
            guard record.manager == .heap || record.manager == .heap2 else { return }
            for change in (try? VisibilityChange.all(record)) ?? [] { _ = change.apply(to: RedoPage(page)) }
        }
    }
}
