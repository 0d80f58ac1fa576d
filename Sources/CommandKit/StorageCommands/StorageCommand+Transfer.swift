import ArgumentParser
import Glibc
import ObjectStorage
import StorageURI

/// What `get` and `put` have in common.
struct TransferOptions: ParsableArguments {
    @Flag(name: .shortAndLong, help: "Copy a whole folder, with all below it.")
    var recursive = false
    @Flag(help: "Replace what is there already; without it, that is an error.")
    var overwrite = false
    @OptionGroup var output: OutputOptions

    var mode: PutMode { overwrite ? .overwrite : .createOnly }

    private struct Result: Encodable {
        let objects: Int
        let bytes: Int
        let seconds: Double
    }

    /// Copies with a progress bar, and tells what was copied.
    ///
    /// - Parameter total: How many bytes there are to copy, where that is known.
    func report(
        _ label: String, total: Int?, _ work: (Progress) async throws -> ObjectCopy.Totals
    ) async throws {
        let progress = Progress(label, totalBytes: total)
        let start = monotonicSeconds()
        let totals: ObjectCopy.Totals
        do { totals = try await work(progress) } catch {
            progress.abandon()
            let failure = CommandFailure(error)
            guard failure.status == .outputExists else { throw failure }
            throw CommandFailure(failure.status, failure.message, hint: "--overwrite replaces what is there")
        }
        progress.finish()
        let seconds = monotonicSeconds() - start
        if output.json {
            try printJSON(Result(objects: totals.objectCount, bytes: totals.byteCount, seconds: seconds))
        } else {
            let objects = totals.objectCount == 1 ? "1 object" : "\(totals.objectCount) objects"
            StandardError.line("\(label) \(objects), \(describeBytes(totals.byteCount)) in \(describeSeconds(seconds))")
        }
    }

    /// A local directory as a storage.
    static func local(_ path: String) throws -> FileObjectStore {
        let path = absolutePath(path)
        guard path != "/" else { throw CommandFailure(.usage, "the root directory cannot be copied from or to") }
        return FileObjectStore(root: path, isDurable: false)
    }
}

extension StorageCommand {
    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "get", abstract: "Copy an object to a file, or a folder to a directory.",
            discussion: """
                TARGET is a file, a directory (then the file gets the object's name), or - for standard output. With \
                --recursive it is the directory that the folder's content goes into.

                  zenith storage get s3://backups/main/zenith.json .
                  zenith storage get --recursive s3://backups/main ./copy
                """)

        @OptionGroup var options: StorageClientOptions
        @Argument(help: ArgumentHelp("Where to: a file, a directory, or -.", valueName: "target")) var target: String
        @OptionGroup var transfer: TransferOptions

        func run() async throws {
            if transfer.recursive {
                let source = try options.openFolder()
                let target = try TransferOptions.local(target)
                try await transfer.report("get", total: nil) { progress in
                    let copy = ObjectCopy(from: source, to: target, mode: transfer.mode) { progress.add($0) }
                    let totals = try await copy.copyAll()
                    guard totals.objectCount > 0 else {
                        throw CommandFailure(.failed, "\(source.location): there is nothing to copy")
                    }
                    return totals
                }
                return
            }
            let (source, key) = try options.openObject()
            if target == "-" {
                try await source.stream(key) { StandardOutput.write(bytes: $0) }
                return
            }
            let object = try await source.head(key)
            let (directory, name) = Self.place(target, key)
            let files = try TransferOptions.local(directory)
            try await transfer.report("get", total: object.sizeBytes) { progress in
                let copy = ObjectCopy(from: source, to: files, mode: transfer.mode) { progress.add($0) }
                try await copy.copy(object, to: ObjectKey(name))
                return ObjectCopy.Totals(objectCount: 1, byteCount: object.sizeBytes)
            }
        }

        /// The directory and the name of the file that the object goes into.
        private static func place(_ target: String, _ key: ObjectKey) -> (directory: String, name: String) {
            let path = absolutePath(target)
            var status = stat()
            let isDirectory = stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
            if isDirectory || target.hasSuffix("/") { return (path, key.text) }
            let parts = path.split(separator: "/")
            return ("/" + parts.dropLast().joined(separator: "/"), String(parts.last ?? ""))
        }
    }

    struct Put: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "put", abstract: "Copy a file to an object, or a directory to a folder.",
            discussion: """
                SOURCE is a file, or - for standard input. A STORAGE that ends in a slash is a folder: the object gets \
                the file's name there. With --recursive SOURCE is a directory, whose content goes into the folder.

                  zenith storage put s3://backups/notes.txt ./notes.txt
                  pg_dump orders | zenith storage put s3://backups/orders.sql -
                  zenith storage put --recursive s3://backups/copy ./directory
                """)

        @OptionGroup var options: StorageClientOptions
        @Argument(help: ArgumentHelp("What: a file, a directory, or -.", valueName: "source")) var source: String
        @OptionGroup var transfer: TransferOptions

        func run() async throws {
            if transfer.recursive {
                try Self.demand(source, isDirectory: true)
                let target = try options.openFolder()
                let source = try TransferOptions.local(source)
                try await transfer.report("put", total: nil) { progress in
                    let copy = ObjectCopy(from: source, to: target, mode: transfer.mode) { progress.add($0) }
                    let totals = try await copy.copyAll()
                    guard totals.objectCount > 0 else {
                        throw CommandFailure(.failed, "\(self.source): there is no file to copy")
                    }
                    return totals
                }
                return
            }
            let name = source.split(separator: "/").last.map(String.init)
            let (target, key) = try options.openObject(defaultName: source == "-" ? nil : name)
            let mode = transfer.mode
            if source == "-" {
                try await transfer.report("put", total: nil) { progress in
                    let pieces = CountedPieces(pieces: StandardInput()) { progress.add($0) }
                    let info = try await target.put(key, .stream(pieces), mode: mode)
                    return ObjectCopy.Totals(objectCount: 1, byteCount: info.sizeBytes)
                }
                return
            }
            let size = try Self.demand(source, isDirectory: false)
            try await transfer.report("put", total: size) { progress in
                let info = try await target.put(key, .file(path: absolutePath(source)), mode: mode)
                progress.add(info.sizeBytes)
                return ObjectCopy.Totals(objectCount: 1, byteCount: info.sizeBytes)
            }
        }

        /// The size of the file, or of the directory itself, after a look whether it is one.
        @discardableResult
        private static func demand(_ path: String, isDirectory: Bool) throws(CommandFailure) -> Int {
            var status = stat()
            guard stat(path, &status) == 0 else {
                throw CommandFailure(.failed, "\(path): \(String(cString: strerror(errno)))")
            }
            if isDirectory != (status.st_mode & S_IFMT == S_IFDIR) {
                throw CommandFailure(
                    .usage, isDirectory ? "\(path) is no directory" : "\(path) is a directory",
                    hint: isDirectory ? nil : "--recursive copies it with all below it")
            }
            return Int(status.st_size)
        }
    }
}

/// Standard input in pieces, read on a thread that may block.
private struct StandardInput: AsyncSequence, Sendable {
    typealias Element = [UInt8]
    typealias Failure = any Error

    func makeAsyncIterator() -> Iterator { Iterator() }

    struct Iterator: AsyncIteratorProtocol {
        private static let pieceBytes = 1 << 20

        mutating func next() async throws -> [UInt8]? { try await next(isolation: nil) }

        mutating func next(isolation actor: isolated (any Actor)?) async throws -> [UInt8]? {
            let piece = try await BlockingWork.run { _ in
                try [UInt8](unsafeUninitializedCapacity: Self.pieceBytes) { buffer, count in
                    while count < buffer.count {
                        let got = read(STDIN_FILENO, buffer.baseAddress! + count, buffer.count - count)
                        if got < 0, errno == EINTR { continue }
                        guard got >= 0 else {
                            throw CommandFailure(.failed, "standard input: \(String(cString: strerror(errno)))")
                        }
                        if got == 0 { break }
                        count += got
                    }
                }
            }
            return piece.isEmpty ? nil : piece
        }
    }
}
