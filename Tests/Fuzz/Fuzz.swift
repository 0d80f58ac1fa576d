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

/// libFuzzer over what takes bytes from WAL: `FUZZ_TARGET` names what, the arguments are libFuzzer's.
@main
struct Fuzz {
    enum Target {
        case decoder, image, effects
        case redo(ResourceManager)

        func take(_ bytes: UnsafeRawBufferPointer) {
            switch self {
            case .decoder: DecoderTarget.take(bytes)
            case .image: ImageTarget.take(bytes)
            case .effects: EffectsTarget.take(bytes)
            case .redo(let manager): RedoTarget.take(bytes, manager)
            }
        }
    }

    static let target: Target = {
        let targets: [String: Target] = [
            "decoder": .decoder, "image": .image, "effects": .effects, "xlog": .redo(.xlog), "heap": .redo(.heap),
            "heap2": .redo(.heap2), "btree": .redo(.btree), "hash": .redo(.hash), "gin": .redo(.gin),
            "gist": .redo(.gist), "spgist": .redo(.spgist), "brin": .redo(.brin), "sequence": .redo(.sequence),
            "generic": .redo(.generic),
        ]
        guard let name = getenv("FUZZ_TARGET"), let target = targets[String(cString: name)] else {
            print("fuzz: FUZZ_TARGET is one of \(targets.keys.sorted().joined(separator: ", "))")
            exit(64)
        }
        return target
    }()

    static func main() {
        let words = CommandLine.arguments.map { strdup($0) } + [nil]
        let arguments = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: words.count)
        arguments.initialize(from: words, count: words.count)
        var (count, pointer) = (CInt(words.count - 1), arguments)
        exit(runDriver(&count, &pointer, take))
    }
}
