import Glibc
import PostgresFormat

/// What libFuzzer calls.
typealias FuzzTest = @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt

/// Source: LLVM's `compiler-rt/lib/fuzzer/FuzzerInterface.h`.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(_ count: UnsafeMutableRawPointer, _ words: UnsafeMutableRawPointer, _ test: FuzzTest) -> CInt

/// By the name that libFuzzer's library wants one to have.
@_cdecl("LLVMFuzzerTestOneInput")
func take(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    Fuzz.target.take(UnsafeRawBufferPointer(start: bytes, count: count))
    return 0
}

/// libFuzzer over what takes bytes from WAL: `FUZZ_TARGET` names what, the arguments are libFuzzer's. Or, as
/// `fuzz seeds DIRECTORY`, what makes seeds for it.
@main
struct Fuzz {
    enum Target {
        case decoder, image, effects, index
        case redo(ResourceManager)

        func take(_ bytes: UnsafeRawBufferPointer) {
            switch self {
            case .decoder: DecoderTarget.take(bytes)
            case .image: ImageTarget.take(bytes)
            case .effects: EffectsTarget.take(bytes)
            case .index: IndexTarget.take(bytes)
            case .redo(let manager): RedoTarget.take(bytes, manager)
            }
        }
    }

    /// Those that change pages, by the names of their targets.
    static let managers: [String: ResourceManager] = [
        "xlog": .xlog, "heap": .heap, "heap2": .heap2, "btree": .btree, "hash": .hash, "gin": .gin, "gist": .gist,
        "spgist": .spgist, "brin": .brin, "sequence": .sequence, "generic": .generic,
    ]

    static let target: Target = {
        let others: [String: Target] = ["decoder": .decoder, "image": .image, "effects": .effects, "index": .index]
        let targets = managers.mapValues { Target.redo($0) }.merging(others) { $1 }
        guard let name = getenv("FUZZ_TARGET"), let target = targets[String(cString: name)] else {
            print("fuzz: FUZZ_TARGET is one of \(targets.keys.sorted().joined(separator: ", "))")
            exit(64)
        }
        return target
    }()

    static func main() throws {
        if CommandLine.arguments.count == 3, CommandLine.arguments[1] == "seeds" {
            return try SeedMaker.run(CommandLine.arguments[2])
        }
        let words = CommandLine.arguments.map { strdup($0) } + [nil]
        let arguments = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: words.count)
        arguments.initialize(from: words, count: words.count)
        var (count, pointer) = (CInt(words.count - 1), arguments)
        exit(runDriver(&count, &pointer, take))
    }
}
