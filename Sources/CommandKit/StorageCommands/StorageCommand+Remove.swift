import ArgumentParser
import ObjectStorage

extension StorageCommand {
    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rm", abstract: "Remove an object, or a folder with all below it.",
            discussion: """
                A folder that is the repository of a cluster is removed only with --force: nothing brings it back.

                  zenith storage rm s3://backups/notes.txt
                  zenith storage rm --recursive s3://backups/copy
                """)

        @OptionGroup var options: StorageClientOptions
        @OptionGroup var output: OutputOptions
        @Flag(name: .shortAndLong, help: "Remove a folder with all below it.")
        var recursive = false
        @Flag(help: "Remove a repository too.")
        var force = false

        private struct Result: Encodable {
            let objects: Int
            let bytes: Int
        }

        /// What marks the root of a repository.
        private static let repositoryMark = ObjectKey("zenith.json")
        private static let batchCount = 1000

        func run() async throws {
            let removed = recursive ? try await removeFolder() : try await removeObject()
            if output.json {
                try printJSON(removed)
            } else {
                let objects = removed.objects == 1 ? "1 object" : "\(removed.objects) objects"
                StandardError.line("removed \(objects), \(describeBytes(removed.bytes))")
            }
        }

        private func removeObject() async throws -> Result {
            let (store, key) = try options.openObject()
            let object = try await store.head(key)
            try await store.delete([key])
            return Result(objects: 1, bytes: object.sizeBytes)
        }

        private func removeFolder() async throws -> Result {
            let store = try options.openFolder()
            if !force, try await store.exists(Self.repositoryMark) {
                throw CommandFailure(
                    .failed, "\(store.location) is the repository of a cluster, with all of its snapshots",
                    hint: "--force removes it all the same; `zenith snapshot delete` removes single snapshots")
            }
            let progress = Progress("rm")
            var (count, bytes) = (0, 0)
            do {
                var batch: [ObjectKey] = []
                func flush() async throws {
                    try await store.delete(batch)
                    batch.removeAll(keepingCapacity: true)
                }
                for try await object in store.listAll() {
                    batch.append(object.key)
                    count += 1
                    bytes += object.sizeBytes
                    progress.add(object.sizeBytes)
                    if batch.count == Self.batchCount { try await flush() }
                }
                try await flush()
            } catch {
                progress.abandon()
                throw error
            }
            progress.finish()
            return Result(objects: count, bytes: bytes)
        }
    }
}
