import FoundationEssentials
import StorageURI
import Synchronization

/// Signs requests to one bucket, sends them, and repeats what can be repeated.
final class S3Client: Sendable {
    let options: S3Options
    private let provider: any AWSCredentialProvider
    let transport: HTTPTransport
    private let nodes: S3Nodes?

    private struct State {
        var region: String
        /// Whether the region is known to be the bucket's, and not only the first guess.
        var isRegionSettled: Bool
        /// What the service's clock is ahead of ours, in seconds.
        var clockOffset = 0.0
        /// Where the credentials last used came from, and the end of their id: for messages.
        var credentialSource: String?
    }
    private let state: Mutex<State>

    init(options: S3Options, provider: any AWSCredentialProvider, transport: HTTPTransport) {
        self.options = options
        self.provider = provider
        self.transport = transport
        nodes = options.nodeSource.map { S3Nodes($0, transport: transport) }
        state = Mutex(State(region: options.region ?? "us-east-1", isRegionSettled: options.region != nil))
    }

    /// Where the credentials in use come from: `AWS_ACCESS_KEY_ID (…ABCD)`. Nil before the first request.
    var credentialSource: String? { state.withLock(\.credentialSource) }

    /// The time by the service's clock, as far as it is known.
    var serviceTime: Date { options.now().addingTimeInterval(state.withLock(\.clockOffset)) }

    /// Sends a request until it succeeds, fails for good, or the retries are used up.
    func perform(_ operation: S3Operation) async throws(ServiceFailure) -> S3Answer {
        var retrier = Retrier(policy: options.retries)
        while true {
            do throws(ServiceFailure) {
                let response = try await attempt(operation)
                return S3Answer(response: response, mayHaveRunBefore: retrier.mayHaveRun)
            } catch {
                try await retrier.wait(after: error)
            }
        }
    }

    /// Sends a request once; again only where the service told how to correct it: its region, its clock, or that the
    /// credentials have expired.
    func attempt(_ operation: S3Operation) async throws(ServiceFailure) -> HTTPResponse {
        var hasCorrectedRegion = false
        var hasCorrectedClock = false
        var hasRefreshed = false
        var refresh = false
        while true {
            let failure: ServiceFailure
            var used = Premises()
            do throws(ServiceFailure) {
                return try await exchange(operation, refresh: refresh, &used)
            } catch {
                failure = error
            }
            refresh = false
            let isUnexplained = operation.method == "HEAD" && failure.serviceCode.isEmpty
            if !hasCorrectedRegion, try await correctRegion(failure, used, isUnexplained: isUnexplained) {
                hasCorrectedRegion = true
            } else if !hasCorrectedClock, correctClock(failure, used, isUnexplained: isUnexplained) {
                hasCorrectedClock = true
            } else if !hasRefreshed, mayHaveEnded(used.credentials, failure) {
                hasRefreshed = true
                refresh = true
            } else if isUnexplained, failure.status == 400 || failure.status == 403 {
                // An answer to HEAD has no body to say what is wrong: the same as GET has.
                var explained = operation
                explained.method = "GET"
                if operation.key != nil { explained.headers.append(("Range", "bytes=0-0")) }
                let response = try await attempt(explained)
                return Self.asHead(response)
            } else {
                throw failure
            }
        }
    }

    /// Clocks, and times in whole seconds, are this much apart.
    private static let endTolerance = 5.0
    private static let expired: Set<String> = ["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"]

    /// Whether the credentials may have been refused because their time is over. Some services, Ceph for one, say no
    /// more than that access is denied: then their end counts, by the service's clock.
    private func mayHaveEnded(_ credentials: AWSCredentials?, _ failure: ServiceFailure) -> Bool {
        if Self.expired.contains(failure.serviceCode) { return true }
        guard let credentials, credentials.sessionToken != nil, failure.code == .denied else { return false }
        guard let end = credentials.expiration else { return true }
        let time = failure.serverDate.flatMap(ServiceDate.http) ?? serviceTime
        return time.addingTimeInterval(Self.endTolerance) >= end
    }

    /// What a request was signed with. What has changed since, another call may have corrected: corrections compare
    /// with this, so that of many first requests not all but one fail.
    private struct Premises {
        var credentials: AWSCredentials?
        var region = ""
        var clockOffset = 0.0
    }

    private func exchange(
        _ operation: S3Operation, refresh: Bool, _ used: inout Premises
    ) async throws(ServiceFailure) -> HTTPResponse {
        let credentials: AWSCredentials
        do { credentials = try await provider.credentials(refresh: refresh) } catch {
            if error is CancellationError { throw .cancelled(error) }
            throw ServiceFailure(.denied, "no credentials: \(error)")
        }
        let (region, clockOffset) = state.withLock { state in
            state.credentialSource = "\(credentials.source) (…\(credentials.accessKeyID.suffix(4)))"
            return (state.region, state.clockOffset)
        }
        used = Premises(credentials: credentials, region: region, clockOffset: clockOffset)
        var headers = operation.headers + options.additionalHeaders
        if let md5 = operation.payload.md5 { headers.append(("Content-MD5", md5)) }
        let request = SignatureV4.Request(
            method: operation.method, host: options.endpoint.host(region: region),
            path: options.endpoint.path(key: operation.key), query: operation.query, headers: headers,
            payloadHash: operation.payload.signedHash)
        headers += SignatureV4(region: region, service: "s3").headers(
            for: request, credentials: credentials, date: options.now().addingTimeInterval(clockOffset))
        var sent = HTTPRequest(
            method: operation.method, url: options.endpoint.url(request), headers: headers,
            body: operation.payload.body, responseLimit: operation.responseLimit, deadline: options.requestTimeout,
            stallTimeout: operation.mayStall ? options.requestTimeout : nil, isRepeatable: operation.isRepeatable)
        sent.connectsTo = await nodes?.address()
        let response: HTTPResponse
        do throws(HTTPError) { response = try await transport.send(sent) } catch {
            if let address = sent.connectsTo { await nodes?.forget(address) }
            throw ServiceFailure(error, host: request.host)
        }
        guard (200..<300).contains(response.status) else { throw ServiceFailure(s3: response) }
        return response
    }

    /// Learns the bucket's region from a refusal. True when there is a new one to try.
    private func correctRegion(
        _ failure: ServiceFailure, _ used: Premises, isUnexplained: Bool
    ) async throws(ServiceFailure) -> Bool {
        let names = [
            "AuthorizationHeaderMalformed", "PermanentRedirect", "TemporaryRedirect", "IllegalLocationConstraint",
        ]
        let isRedirected = failure.status == 301 || failure.status == 307
        guard isRedirected || names.contains(failure.serviceCode) || isUnexplained else { return false }
        var found = failure.region
        if found == nil, isRedirected { found = await askForRegion() }
        guard let found, !found.isEmpty, found != used.region else { return false }
        state.withLock { state in
            state.region = found
            state.isRegionSettled = true
        }
        return true
    }

    /// The region that the service gives with any answer about the bucket, a refusal included.
    private func askForRegion() async -> String? {
        do throws(ServiceFailure) {
            var used = Premises()
            let response = try await exchange(S3Operation(method: "HEAD"), refresh: false, &used)
            return response.headers["x-amz-bucket-region"]
        } catch {
            return error.region
        }
    }

    /// Sets our idea of the service's clock, where it refuses ours. True when that changed.
    private func correctClock(_ failure: ServiceFailure, _ used: Premises, isUnexplained: Bool) -> Bool {
        let isSkewed = failure.serviceCode == "RequestTimeTooSkewed" || failure.serviceCode == "RequestExpired"
        guard isSkewed || isUnexplained && failure.status == 403 else { return false }
        guard let serverDate = failure.serverDate.flatMap(ServiceDate.http) else { return false }
        let offset = serverDate.timeIntervalSince(options.now())
        guard abs(offset - used.clockOffset) > 60 else { return false }
        state.withLock { $0.clockOffset = offset }
        return true
    }

    /// The answer to a GET of one byte, as the answer to HEAD would have been.
    private static func asHead(_ response: HTTPResponse) -> HTTPResponse {
        var head = response
        head.body = []
        if let range = response.headers["content-range"], let total = range.split(separator: "/").last {
            head.headers.fields.removeAll { $0.name == "content-length" }
            head.headers.fields.append(("content-length", String(total)))
        }
        return head
    }
}
