/// A connection string: what the portal shows for an account, and what tools take in one variable.
struct AzureConnectionString: Sendable {
    let account: String?
    let key: Secret?
    let signature: Secret?
    /// Where the account's blobs are.
    let service: AzureService

    struct Fault: Error { let problem: String }

    /// The account that all emulators have, and its key, which is no secret.
    static let emulatorAccount = "devstoreaccount1"
    static let emulatorKey = Secret(
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==")
    private static let emulatorPort = 10_000

    /// - Parameter suffix: The end of the service's host name, where the string gives none.
    init(_ text: Secret, suffix: String) throws(Fault) {
        var values: [String: String] = [:]
        for pair in text.reveal().split(separator: ";") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0]).lowercased().filter { $0 != " " }
            if name.isEmpty { continue }
            // The part itself may be a secret.
            guard parts.count == 2 else {
                throw Fault(problem: "is no connection string: it has a part that is not Name=value")
            }
            values[name] = String(parts[1])
        }
        func value(_ name: String) -> String? { values[name].flatMap { $0.isEmpty ? nil : $0 } }
        guard !values.isEmpty else { throw Fault(problem: "is no connection string: it has no Name=value in it") }
        if value("usedevelopmentstorage")?.lowercased() == "true" {
            let proxy = try Self.address(value("developmentstorageproxyuri") ?? "http://127.0.0.1", "its proxy")
            let authority = proxy.authority == proxy.host ? "\(proxy.authority):\(Self.emulatorPort)" : proxy.authority
            (account, key, signature) = (Self.emulatorAccount, Self.emulatorKey, nil)
            service = AzureService(
                scheme: proxy.scheme, authority: authority, path: "/\(Self.emulatorAccount)",
                account: Self.emulatorAccount)
            return
        }
        let name = value("accountname")
        key = value("accountkey").map { Secret($0) }
        signature = value("sharedaccesssignature").map { Secret($0) }
        if let endpoint = value("blobendpoint") {
            service = AzureService(try Self.address(endpoint, "its BlobEndpoint"), account: name)
        } else if let name {
            if let problem = AzureService.problem(account: name) { throw Fault(problem: "its AccountName \(problem)") }
            let scheme = value("defaultendpointsprotocol")?.lowercased() ?? "https"
            guard scheme == "https" || scheme == "http" else {
                throw Fault(problem: "its DefaultEndpointsProtocol is neither http nor https")
            }
            service = AzureService(account: name, suffix: value("endpointsuffix") ?? suffix, scheme: scheme)
        } else {
            throw Fault(problem: "names neither AccountName nor BlobEndpoint")
        }
        account = service.account
        guard key == nil || account != nil else { throw Fault(problem: "has an AccountKey, but no AccountName") }
    }

    private static func address(_ text: String, _ what: String) throws(Fault) -> HTTPAddress {
        switch HTTPAddress.parse(text) {
        case .success(let address): return address
        case .failure(let fault): throw Fault(problem: "\(what) \(fault.problem)")
        }
    }
}
