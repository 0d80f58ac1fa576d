import Glibc
import ObjectStorage
import StorageURI
import Synchronization

/// Everything that can be told about one storage: where it is, whose credentials, whether it works.
struct StorageCheck {
    let storage: NamedStorage
    let environment: [String: String]
    var isOffline = false
    var isThorough = false

    /// A check answers soon: a service that is away is not asked ten times.
    private static let retries = "2"

    private func quickToGiveUp(_ backend: any StorageBackend.Type) -> RoleEnvironment {
        let plain = RoleEnvironment(environment, role: storage.role)
        guard let retries = backend.retries, plain.value(retries) == nil else { return plain }
        return RoleEnvironment(environment.merging([retries.name: Self.retries]) { $1 }, role: storage.role)
    }

    func run(_ report: inout CheckReport) async {
        var subject = CheckReport.Subject(name: storage.name)
        await check(&subject, &report)
        if subject.verdict.isEmpty {
            subject.verdict =
                subject.hasFailed ? "not usable" : isOffline ? "well-formed; not asked (--offline)" : "usable"
        }
        report.add(subject)
    }

    private func check(_ subject: inout CheckReport.Subject, _ report: inout CheckReport) async {
        let location: StorageLocation
        do {
            let found = try StorageLocation.resolve(
                storage.text, environment: RoleEnvironment(environment, role: storage.role),
                currentDirectory: absolutePath("."))
            location = found.location
            subject.location = location.description
            let variable = found.variable.map { ", by \($0)" } ?? ""
            subject.note("location", .ok, "\(location) (\(storage.origin)\(variable))")
        } catch {
            return subject.fail("location", CommandFailure(.configuration, "\(error)"), &report)
        }
        let store: any ObjectStore
        do {
            let backend = ObjectStores.backend(location.scheme)
            let environment = quickToGiveUp(backend)
            let inspection = try backend.inspect(location, environment)
            note(inspection, &subject)
            guard await findCredentials(backend, location, environment, &subject, &report) else { return }
            store = try backend.open(location, environment)
        } catch let error as SettingsError {
            let faults = error.faults.map(\.description)
            return subject.fail("setting", CommandFailure(.configuration, "faulty settings", details: faults), &report)
        } catch {
            return subject.fail("open", CommandFailure(.configuration, "\(error)"), &report)
        }
        if !isOffline { await prove(store, &subject, &report) }
    }

    private func note(_ inspection: StorageInspection, _ subject: inout CheckReport.Subject) {
        for path in inspection.secretFiles {
            var status = stat()
            guard stat(path, &status) == 0, status.st_mode & (S_IRGRP | S_IROTH) != 0 else { continue }
            subject.note("secrets", .warning, "\(path) can be read by others; chmod 600 \(path)")
        }
        for warning in inspection.warnings { subject.note("variable", .warning, "\(warning)") }
        for fact in inspection.facts { subject.note(fact.name, .ok, fact.detail) }
    }

    private func findCredentials(
        _ backend: any StorageBackend.Type, _ location: StorageLocation, _ environment: RoleEnvironment,
        _ subject: inout CheckReport.Subject, _ report: inout CheckReport
    ) async -> Bool {
        let offline = isOffline ? OfflineFetcher() : nil
        do {
            if let found = try await backend.findCredentials(location, environment, http: offline) {
                subject.note("credentials", .ok, found)
            }
            return true
        } catch {
            if let offline, offline.wasAsked {
                subject.note("credentials", .warning, "come from a service, which --offline does not ask")
                return true
            }
            subject.fail("credentials", CommandFailure(.permission, "\(error)"), &report)
            return false
        }
    }

    /// Writes, reads, lists and deletes.
    private func prove(
        _ store: any ObjectStore, _ subject: inout CheckReport.Subject, _ report: inout CheckReport
    ) async {
        let facts = await StorageProbe.run(store, isThorough: isThorough)
        // An import only reads: a source that refuses to be written to is as it should be.
        if storage.role == .snapshot, let write = facts.first(where: { $0.step == .write }), !write.ok,
            write.error?.code == .denied || write.error?.code == .full
        {
            do throws(ObjectStoreError) {
                _ = try await store.list(prefix: "", delimiter: "/", after: nil, limit: 1)
                subject.note(write.name, .warning, write.detail)
                subject.note(StorageProbe.Step.list.rawValue, .ok, "found")
                subject.verdict = "can be imported from, not exported to"
                return
            } catch { return subject.fail(StorageProbe.Step.list.rawValue, CommandFailure(error), &report) }
        }
        let permissions = ObjectStores.backend(store.location.scheme).permissions
        for fact in facts {
            // Without create-if-absent a storage works as long as there is one writer; a clock can be set.
            let isWeak = fact.step == .createIfAbsent && fact.error == nil || fact.step == .clock
            subject.note(fact.name, fact.ok ? .ok : isWeak ? .warning : .failed, fact.detail)
            guard !fact.ok, !isWeak else { continue }
            report.add(fact.error.map { ExitStatus($0.code) } ?? .failed)
            if fact.error?.code == .denied, let permission = permissions[fact.step] {
                subject.note("permission", .warning, "\(fact.name) needs \(permission)")
            }
        }
    }
}

/// Stands for credential services, and programs that ask them, where none is to be asked; notes that one would have been.
private final class OfflineFetcher: HTTPFetcher, ProgramRunner {
    private struct Offline: Error, CustomStringConvertible {
        var description: String { "not asked (--offline)" }
    }
    private let asked = Atomic(false)

    var wasAsked: Bool { asked.load(ordering: .relaxed) }

    func fetch(_ request: HTTPFetchRequest) async throws -> HTTPFetchResponse {
        asked.store(true, ordering: .relaxed)
        throw Offline()
    }

    func run(_ request: ProgramRequest) async throws -> ProgramResult {
        asked.store(true, ordering: .relaxed)
        throw Offline()
    }
}
