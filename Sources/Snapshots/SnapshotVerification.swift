import Digests
import ObjectStorage
import PostgresFormat
import StorageURI
import Synchronization
import SystemPackage

/// Checks a snapshot in storage as a whole: every pack's length and digest, every frame, every page's checksum.
public struct SnapshotVerification: Sendable {
    /// What was found wrong; empty for a sound snapshot. Corrupt pages that the manifest records are not faults.
    public struct Report: Sendable {
        public var faults: [String] = []
        public var packs = 0
        public var pages = 0
        public var bytes = 0
    }

    private let repository: Repository
    private let manifest: Manifest

    public init(_ manifest: Manifest, in repository: Repository) {
        self.manifest = manifest
        self.repository = repository
    }

    public func run(pool: WorkerPool, progress: any WorkProgress) async throws -> Report {
        progress.expect(bytes: manifest.storedBytes)
        let byPack = Dictionary(grouping: manifest.schedule(), by: \.group.pack)
        let known = Set(manifest.corruptPages)
        let next = Atomic<Int>(0)
        let reports = try await pool.run { _ in
            var report = Report()
            while true {
                try Task.checkCancellation()
                let pack = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard pack < manifest.packs.count else { return report }
                try await verify(pack, byPack[pack] ?? [], known, progress, &report)
            }
        }
        var whole = Report()
        for report in reports {
            whole.faults += report.faults
            whole.packs += report.packs
            whole.pages += report.pages
            whole.bytes += report.bytes
        }
        whole.faults.sort()
        return whole
    }

    private func verify(
        _ number: Int, _ groups: [ScheduledGroup], _ known: Set<PageKey>, _ progress: any WorkProgress,
        _ report: inout Report
    ) async throws {
        let pack = manifest.packs[number]
        let key = Repository.key(manifest.name, pack.name)
        var sha256 = Hasher(.sha256)
        var offset = 0
        let piece = 8 << 20
        while true {
            let bytes: [UInt8]
            do { bytes = try await repository.store.get(key, range: offset..<offset + piece) } catch {
                guard error.code == .notFound else { throw error }
                report.faults.append("\(key) is missing")
                return
            }
            sha256.update(bytes)
            offset += bytes.count
            progress.advance(bytes: bytes.count)
            if bytes.count < piece || offset > pack.sizeBytes { break }
        }
        report.packs += 1
        report.bytes += offset
        guard offset == pack.sizeBytes else {
            report.faults.append("\(key) is \(offset) bytes long, \(pack.sizeBytes) are expected")
            return
        }
        if sha256.finish() != pack.sha256 { report.faults.append("\(key) does not match its SHA-256") }
        var reader = FrameReader(SnapshotReader(manifest: manifest, local: nil, repository: repository))
        let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: Format.maximumFrameBytes, alignment: 4096)
        defer { scratch.deallocate() }
        for scheduled in groups {
            do { try await reader.load(scheduled.group) } catch let error as RepositoryError {
                report.faults.append("\(error)")
                continue
            }
            for target in scheduled.targets {
                let content = UnsafeMutableRawBufferPointer(
                    rebasing: scratch[0..<manifest.contentBytes(of: target)])
                do { try reader.expand(target.location, of: scheduled.group, into: content) } catch {
                    report.faults.append("\(error)")
                    continue
                }
                guard case .blocks(let fork, let frame) = target.content else { continue }
                check(UnsafeRawBufferPointer(content), manifest.forks[fork], manifest.frames[frame], known, &report)
            }
        }
    }

    private func check(
        _ pages: UnsafeRawBufferPointer, _ fork: ForkEntry, _ frame: FrameEntry, _ known: Set<PageKey>,
        _ report: inout Report
    ) {
        var done = 0
        for run in manifest.runs[frame.firstRun..<frame.firstRun + frame.runCount] {
            let end = done + Int(run.count)
            report.pages += Int(run.count)
            let first = done
            while manifest.identity.dataChecksums, done < end,
                let bad = PageChecksum.firstBadPage(
                    in: UnsafeRawBufferPointer(rebasing: pages[done * Page.size..<end * Page.size]),
                    firstBlock: run.start + UInt32(done - first))
            {
                let page = PageKey(fork: fork.key, block: run.start + UInt32(done - first + bad))
                if !known.contains(page) { report.faults.append("\(page) fails its checksum") }
                done += bad + 1
            }
            done = end
        }
    }
}

/// Checks that a local pack is the one that a manifest names, before it is sent.
func checkPack(_ path: FilePath, _ pack: PackInfo) throws {
    var sha256 = Hasher(.sha256)
    var size = 0
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
    defer { buffer.deallocate() }
    do {
        let descriptor = try FileDescriptor.open(path, .readOnly)
        try descriptor.closeAfter {
            while case let count = try descriptor.read(into: buffer), count > 0 {
                sha256.update(UnsafeRawBufferPointer(rebasing: buffer[0..<count]))
                size += count
            }
        }
    } catch let error as Errno { throw RepositoryError.damaged("local pack \(path) does not read: \(error)") }
    guard size == pack.sizeBytes, sha256.finish() == pack.sha256 else {
        throw RepositoryError.damaged("local pack \(path) is damaged: it does not match its digest")
    }
}
