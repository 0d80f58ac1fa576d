import Glibc
import ObjectStorage
import StorageURI
import Synchronization

/// Everything that can be told about one storage: where it is, whose credentials, whether it works.
struct StorageCheck {
    let storage: NamedStorage
    let environment: [String: String]
    let isOffline: Bool

    /// A check answers soon: a service that is away is not asked ten times.
    private static let retries = "2"

    private var roleEnvironment: RoleEnvironment {
        var variables = environment
        let plain = RoleEnvironment(environment, role: storage.role)
        if plain.value(S3Variables.maxRetries) == nil { variables[S3Variables.maxRetries.name] = Self.retries }
        return RoleEnvironment(variables, role: storage.role)
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
                storage.text, environment: roleEnvironment, currentDirectory: absolutePath("."))
            location = found.location
            subject.location = location.description
            let variable = found.variable.map { ", by \($0)" } ?? ""
            subject.note("location", .ok, "\(location) (\(storage.origin)\(variable))")
        } catch {
            return subject.fail("location", CommandFailure(.configuration, "\(error)"), &report)
        }
        noteSecretFiles(location, &subject)
        if location.scheme == .s3 {
            guard noteSettings(location, &subject, &report) else { return }
            guard await noteCredentials(location, &subject, &report) else { return }
        }
        let store: any ObjectStore
        do {
            store = try ObjectStores.open(location, environment: roleEnvironment)
        } catch {
            return subject.fail("open", CommandFailure(.configuration, "\(error)"), &report)
        }
        if !isOffline { await prove(store, &subject, &report) }
    }

    /// Settings of the transport that are not at their default, and those without effect.
    private func noteSettings(
        _ location: StorageLocation, _ subject: inout CheckReport.Subject, _ report: inout CheckReport
    ) -> Bool {
        do throws(SettingsError) {
            let settings = try S3Settings(bucket: location.container, environment: roleEnvironment)
            for warning in settings.warnings { subject.note("variable", .warning, "\(warning)") }
            let origin = settings.origins[S3Variables.endpoint.name].map { " (\($0))" } ?? ""
            subject.note("service", .ok, "\(describe(settings.service))\(origin)")
            if let region = settings.region {
                let origin = settings.origins[S3Variables.region.name].map { " (\($0))" } ?? ""
                subject.note("region", .ok, "\(region)\(origin)")
            }
            return true
        } catch {
            let faults = error.faults.map(\.description)
            subject.fail("setting", CommandFailure(.configuration, "faulty settings", details: faults), &report)
            return false
        }
    }

    private func describe(_ service: S3Service) -> String {
        switch service {
        case .amazon: "Amazon S3"
        case .other(let scheme, let authority, let path): "\(scheme)://\(authority)\(path)"
        }
    }

    private func noteCredentials(
        _ location: StorageLocation, _ subject: inout CheckReport.Subject, _ report: inout CheckReport
    ) async -> Bool {
        let transport = CheckTransport(isOffline: isOffline)
        let region = try? S3Settings(bucket: location.container, environment: roleEnvironment).region
        let chain = AWSCredentialChain.make(environment: roleEnvironment, region: region, http: transport)
        do {
            let credentials = try await chain.credentials(refresh: false)
            // The source names the key already where it is a variable; four characters tell two keys apart.
            let key = "…" + credentials.accessKeyID.suffix(4)
            let named = credentials.source.contains("…") ? credentials.source : "\(credentials.source) (key \(key))"
            let end = credentials.expiration == nil ? "" : ", temporary"
            subject.note("credentials", .ok, named + end)
            return true
        } catch {
            if isOffline, transport.wasAsked {
                subject.note("credentials", .warning, "come from a service, which --offline does not ask")
                return true
            }
            subject.fail("credentials", CommandFailure(.permission, "\(error)"), &report)
            return false
        }
    }

    private func noteSecretFiles(_ location: StorageLocation, _ subject: inout CheckReport.Subject) {
        for path in (try? location.secretFiles(roleEnvironment)) ?? [] {
            var status = stat()
            guard stat(path, &status) == 0, status.st_mode & (S_IRGRP | S_IROTH) != 0 else { continue }
            subject.note("secrets", .warning, "\(path) can be read by others; chmod 600 \(path)")
        }
    }

    /// Writes, reads, lists and deletes.
    private func prove(
        _ store: any ObjectStore, _ subject: inout CheckReport.Subject, _ report: inout CheckReport
    ) async {
        let facts = await StorageProbe.run(store)
        // An import only reads: a source that refuses to be written to is as it should be.
        if storage.role == .snapshot, let write = facts.first(where: { $0.name == "write" }), !write.ok,
            write.error?.code == .denied || write.error?.code == .full
        {
            do throws(ObjectStoreError) {
                _ = try await store.list(prefix: "", delimiter: "/", after: nil, limit: 1)
                subject.note("write", .warning, write.detail)
                subject.note("list", .ok, "found")
                subject.verdict = "can be imported from, not exported to"
                return
            } catch { return subject.fail("list", CommandFailure(error), &report) }
        }
        for fact in facts {
            // Without create-if-absent a storage works as long as there is one writer.
            let weak = fact.name == "create-if-absent" && fact.error == nil
            subject.note(fact.name, fact.ok ? .ok : weak ? .warning : .failed, fact.detail)
            if !fact.ok && !weak { report.add(fact.error.map { ExitStatus($0.code) } ?? .failed) }
        }
    }
}

/// How credential services are reached; not at all when offline, which is noted.
private final class CheckTransport: HTTPFetcher {
    private struct Offline: Error, CustomStringConvertible {
        var description: String { "not asked (--offline)" }
    }
    private let transport: HTTPTransport?
    private let asked = Atomic(false)

    init(isOffline: Bool) { transport = isOffline ? nil : HTTPTransport() }

    var wasAsked: Bool { asked.load(ordering: .relaxed) }

    func fetch(_ request: HTTPFetchRequest) async throws -> HTTPFetchResponse {
        asked.store(true, ordering: .relaxed)
        guard let transport else { throw Offline() }
        return try await transport.fetch(request)
    }
}
