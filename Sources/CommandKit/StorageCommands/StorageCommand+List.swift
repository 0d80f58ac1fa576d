import ArgumentParser
import ObjectStorage

extension StorageCommand {
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ls", abstract: "List the objects and folders in a folder, or one object.",
            discussion: "Prints as it reads: a listing of any length takes no memory.")

        @OptionGroup var options: StorageClientOptions
        @OptionGroup var output: OutputOptions
        @Flag(name: .shortAndLong, help: "List all objects below, not only the folder's own.")
        var recursive = false

        /// An entry of `--json`.
        private struct Entry: Encodable {
            /// Relative to the folder; that of a folder ends in a slash.
            let key: String
            /// Absent for a folder.
            var sizeBytes: Int?
            var etag: String?
        }

        func run() async throws {
            let store = try options.openFolder()
            var printer = Printer(isJSON: output.json)
            if recursive {
                for try await object in store.listAll() { try printer.add(object) }
            } else {
                var after: ObjectKey?
                repeat {
                    let page = try await store.list(prefix: "", delimiter: "/", after: after, limit: 1000)
                    for prefix in page.commonPrefixes { try printer.add(folder: prefix) }
                    for object in page.objects { try printer.add(object) }
                    after = page.next
                } while after != nil
            }
            if printer.count == 0, !options.namesFolder, let object = try? options.openObject(),
                try await object.store.exists(object.key)
            {
                try printer.add(try await object.store.head(object.key))
            }
            printer.end()
        }

        private struct Printer {
            private static let sizeWidth = 14

            let isJSON: Bool
            var count = 0

            init(isJSON: Bool) { self.isJSON = isJSON }

            mutating func add(_ object: ObjectInfo) throws {
                try print(
                    Entry(key: object.key.text, sizeBytes: object.sizeBytes, etag: object.etag),
                    size: "\(object.sizeBytes)")
            }

            mutating func add(folder: String) throws { try print(Entry(key: folder), size: "") }

            private mutating func print(_ entry: Entry, size: String) throws {
                if isJSON {
                    StandardOutput.write((count == 0 ? "[\n" : ",\n") + (try jsonText(entry)))
                } else {
                    let padding = String(repeating: " ", count: max(0, Self.sizeWidth - size.count))
                    StandardOutput.line("\(padding)\(size)  \(entry.key.onOneLine)")
                }
                count += 1
            }

            func end() {
                if isJSON { StandardOutput.line(count == 0 ? "[]" : "\n]") }
            }
        }
    }
}
