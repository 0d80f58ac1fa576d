public import ObjectStorage
import PostgresFormat
public import Snapshots
import Synchronization

/// Writes a snapshot as the files of a data directory, each an object under its own path.
///
/// `global/pg_control` is put last, so that an export that was cut short has none. The locations of tablespaces are
/// kept in the object `tablespace_map`.
public struct ObjectExport: Sendable {
    private let snapshot: SnapshotReader
    private let parallel: Int
    private let progress: any WorkProgress

    public init(_ snapshot: SnapshotReader, parallel: Int, progress: any WorkProgress) {
        self.snapshot = snapshot
        self.parallel = parallel
        self.progress = progress
    }

    /// - Throws: `InterchangeError.exists` when objects are there that an unfinished export has not left.
    public func run(to store: any ObjectStore) async throws {
        let manifest = snapshot.manifest
        try await claim(store)
        let layout = ExportLayout(manifest)
        var files = objects(layout)
        progress.expect(bytes: files.reduce(0) { $0 + $1.sizeBytes })
        let control = files.firstIndex { $0.path == "global/pg_control" }
        guard let control else {
            throw InterchangeError.corrupt("snapshot \(manifest.name) holds no global/pg_control")
        }
        let last = files.remove(at: control)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, file) in files.enumerated() {
                if index >= parallel { try await group.next() }
                group.addTask { try await put(file, to: store) }
            }
            try await group.waitForAll()
        }
        if !manifest.tablespaces.isEmpty {
            let lines = manifest.tablespaces.map { "\($0.oid) \($0.location)\n" }.joined()
            try await store.put("tablespace_map", .bytes(Array(lines.utf8)), mode: .overwrite)
        }
        for file in layout.generatedFiles {
            try await store.put(ObjectKey(file.path), .bytes(Array(file.text.utf8)), mode: .overwrite)
        }
        try await put(last, to: store)
        try await store.delete([Self.marker])
    }

    private static let marker = ObjectKey(LocalExport.marker)

    private func claim(_ store: any ObjectStore) async throws {
        let found = try await store.list(prefix: "", delimiter: nil, after: nil, limit: 1)
        if !found.objects.isEmpty {
            do { _ = try await store.head(Self.marker) } catch {
                guard error.code == .notFound else { throw error }
                throw InterchangeError.exists(
                    "\(store.location) is not empty: an export is written only to an empty or absent location")
            }
            var leftovers: [ObjectKey] = []
            for try await object in store.listAll(prefix: "") where object.key != Self.marker {
                leftovers.append(object.key)
            }
            try await store.delete(leftovers)
        }
        try await store.put(
            Self.marker, .bytes(Array("An export is being written here, or was cut short. Run it again.\n".utf8)),
            mode: .overwrite)
    }

    /// One object to write: its content is frames, or parts of frames, one behind another, then zero.
    private struct ObjectSource: Sendable {
        struct Piece: Sendable {
            let location: FrameLocation
            let frameBytes: Int
            /// The part of the frame's content that belongs here.
            let part: Range<Int>
        }
        let path: String
        let sizeBytes: Int
        let pieces: [Piece]
    }

    private func objects(_ layout: ExportLayout) -> [ObjectSource] {
        let manifest = snapshot.manifest
        var objects: [ObjectSource] = []
        let segmentBlocks = manifest.identity.segmentBlocks
        for fork in manifest.forks {
            var pieces = [[ObjectSource.Piece]](repeating: [], count: layout.segmentCount(fork))
            for frame in manifest.frames[fork.firstFrame..<fork.firstFrame + fork.frameCount] {
                let frameBytes = manifest.pageCount(of: frame) * Page.size
                var done = 0
                for run in manifest.runs[frame.firstRun..<frame.firstRun + frame.runCount] {
                    var block = Int(run.start)
                    while block < run.end {
                        let (segment, within) = block.quotientAndRemainder(dividingBy: segmentBlocks)
                        let count = min(run.end - block, segmentBlocks - within)
                        pieces[segment].append(
                            ObjectSource.Piece(
                                location: frame.location, frameBytes: frameBytes,
                                part: done * Page.size..<(done + count) * Page.size))
                        done += count
                        block += count
                    }
                }
            }
            for (segment, own) in pieces.enumerated() {
                objects.append(
                    ObjectSource(
                        path: layout.path(of: fork.key, segment: segment),
                        sizeBytes: own.reduce(0) { $0 + $1.part.count }, pieces: own))
            }
        }
        for file in manifest.files where file.kind == .file {
            let pieces = manifest.fileFrames[file.firstFrame..<file.firstFrame + file.frameCount].map {
                ObjectSource.Piece(location: $0.location, frameBytes: $0.contentBytes, part: 0..<$0.contentBytes)
            }
            objects.append(ObjectSource(path: file.path, sizeBytes: file.sizeBytes, pieces: pieces))
        }
        return objects
    }

    private func put(_ object: ObjectSource, to store: any ObjectStore) async throws {
        let content = ObjectContent(object.pieces, sizeBytes: object.sizeBytes, snapshot, progress)
        let stream = AsyncThrowingStream<[UInt8], any Error>(unfolding: { try await content.next() })
        try await store.put(ObjectKey(object.path), .stream(stream), mode: .overwrite)
    }

    /// The content of one object, piece after piece.
    private actor ObjectContent {
        private let pieces: [ObjectSource.Piece]
        private let sizeBytes: Int
        private let snapshot: SnapshotReader
        private let progress: any WorkProgress
        private var nextPiece = 0
        private var given = 0

        init(_ pieces: [ObjectSource.Piece], sizeBytes: Int, _ snapshot: SnapshotReader, _ progress: any WorkProgress) {
            self.pieces = pieces
            self.sizeBytes = sizeBytes
            self.snapshot = snapshot
            self.progress = progress
        }

        func next() async throws -> [UInt8]? {
            guard nextPiece < pieces.count else {
                let zeros = min(sizeBytes - given, 1 << 20)
                return zeros > 0 ? give([UInt8](repeating: 0, count: zeros)) : nil
            }
            // As many pieces as lie side by side, with one request.
            var group = FrameGroup(pieces[nextPiece].location)
            var taken = [pieces[nextPiece]]
            nextPiece += 1
            while nextPiece < pieces.count, taken.count < 8, group.extend(pieces[nextPiece].location) {
                taken.append(pieces[nextPiece])
                nextPiece += 1
            }
            var reader = FrameReader(snapshot)
            try await reader.load(group)
            var bytes = [UInt8](repeating: 0, count: taken.reduce(0) { $0 + $1.part.count })
            let scratch = PageBuffer(bytes: Manifest.frameBlocks * Page.size)
            var offset = 0
            for piece in taken {
                let content = scratch.bytes.prefixed(piece.frameBytes)
                try reader.expand(piece.location, of: group, into: content)
                bytes.withUnsafeMutableBytes { target in
                    UnsafeMutableRawBufferPointer(rebasing: target[offset..<offset + piece.part.count])
                        .copyMemory(
                            from: UnsafeRawBufferPointer(content).slice(piece.part.lowerBound, piece.part.count))
                }
                offset += piece.part.count
            }
            return give(bytes)
        }

        private func give(_ bytes: [UInt8]) -> [UInt8] {
            given += bytes.count
            progress.advance(bytes: bytes.count)
            return bytes
        }
    }
}
