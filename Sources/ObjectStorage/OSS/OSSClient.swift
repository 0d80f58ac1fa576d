import FoundationEssentials
import StorageURI
import Synchronization

/// Signs requests to one bucket, sends them, and repeats what can be repeated.
final class OSSClient: Sendable {
    let options: OSSOptions
    private let provider: any AlibabaCredentialProvider
    let transport: HTTPTransport

    /// What the service may tell to be otherwise.
    private struct Aim {
        var endpoint: OSSEndpoint
        /// Nil: version 1 of the signature.
        var region: String?
        /// What the service's clock is ahead of ours, in seconds.
        var clockOffset = 0.0
    }
    private struct State {
        var aim: Aim
        /// Where the credentials last used came from, and the end of their id: for messages.
        var credentialSource: String?
    }
    private let state: Mutex<State>

    init(options: OSSOptions, provider: any AlibabaCredentialProvider, transport: HTTPTransport) {
        self.options = options
        self.provider = provider
        self.transport = transport
        state = Mutex(State(aim: Aim(endpoint: options.endpoint, region: options.region)))
    }

    /// Where the credentials in use come from: `OSS_ACCESS_KEY_ID (…ABCD)`. Nil before the first request.
    var credentialSource: String? { state.withLock(\.credentialSource) }

    /// Sends a request until it succeeds, fails for good, or the retries are used up.
    func perform(_ operation: OSSOperation) async throws(ServiceFailure) -> OSSAnswer {
        var retrier = Retrier(policy: options.retries)
        while true {
            do throws(ServiceFailure) {
                let response = try await attempt(operation)
                return OSSAnswer(response: response, mayHaveRunBefore: retrier.mayHaveRun)
            } catch {
                try await retrier.wait(after: error)
            }
        }
    }

    /// Sends a request once; again only where the service told how to correct it: its address, its clock, or that the
    /// credentials have expired.
    func attempt(_ operation: OSSOperation) async throws(ServiceFailure) -> HTTPResponse {
        var hasMoved = false
        var hasCorrectedClock = false
        var hasRefreshed = false
        var refresh = false
        while true {
            let failure: ServiceFailure
            let aim = state.withLock(\.aim)
            do throws(ServiceFailure) { return try await exchange(operation, aim, refresh: refresh) } catch {
                failure = error
            }
            refresh = false
            if !hasMoved, follow(failure, from: aim) {
                hasMoved = true
            } else if !hasCorrectedClock, correctClock(failure, from: aim) {
                hasCorrectedClock = true
            } else if !hasRefreshed, failure.isOfExpiredToken {
                hasRefreshed = true
                refresh = true
            } else {
                throw failure
            }
        }
    }

    private func exchange(
        _ operation: OSSOperation, _ aim: Aim, refresh: Bool
    ) async throws(ServiceFailure) -> HTTPResponse {
        let credentials: AlibabaCredentials
        do { credentials = try await provider.credentials(refresh: refresh) } catch {
            if error is CancellationError { throw .cancelled(error) }
            throw ServiceFailure(.denied, "no credentials: \(error)")
        }
        state.withLock { $0.credentialSource = "\(credentials.source) (…\(credentials.accessKeyID.suffix(4)))" }
        let request = OSSRequest(
            method: operation.method, bucket: options.bucket, key: operation.key, items: operation.query,
            headers: operation.headers)
        let date = Date().addingTimeInterval(aim.clockOffset)
        let added =
            aim.region.map { OSSSignatureV4(region: $0).headers(for: request, credentials: credentials, date: date) }
            ?? OSSSignatureV1.headers(for: request, credentials: credentials, date: date)
        let host = aim.endpoint.host(bucket: options.bucket)
        let target = aim.endpoint.target(bucket: options.bucket, key: operation.key)
        let query = operation.query.isEmpty ? "" : "?\(request.query)"
        let response: HTTPResponse
        do throws(HTTPError) {
            response = try await transport.send(
                HTTPRequest(
                    method: operation.method, url: "\(aim.endpoint.scheme)://\(host)\(target)\(query)",
                    headers: operation.headers + added, body: operation.body, responseLimit: operation.responseLimit,
                    deadline: options.requestTimeout,
                    stallTimeout: operation.mayStall ? options.requestTimeout : nil,
                    isRepeatable: operation.isRepeatable))
        } catch {
            throw ServiceFailure(error, host: host)
        }
        guard (200..<300).contains(response.status) else { throw ServiceFailure(oss: response) }
        return response
    }

    /// Takes over the address that the service names as the bucket's. True when there is another one to try than `aim`,
    /// found now or meanwhile by somebody else.
    private func follow(_ failure: ServiceFailure, from aim: Aim) -> Bool {
        guard let host = failure.host, let (endpoint, region) = aim.endpoint.moved(to: host) else { return false }
        state.withLock { state in
            state.aim.endpoint = endpoint
            if aim.region != nil { state.aim.region = region }
        }
        return true
    }

    /// Sets our idea of the service's clock, where it refuses ours. True when it is another one than in `aim`.
    private func correctClock(_ failure: ServiceFailure, from aim: Aim) -> Bool {
        guard failure.serviceCode == "RequestTimeTooSkewed",
            let serverDate = failure.serverDate.flatMap(ServiceDate.http)
        else { return false }
        let offset = serverDate.timeIntervalSince(Date())
        guard abs(offset - aim.clockOffset) > 60 else { return false }
        state.withLock { $0.aim.clockOffset = offset }
        return true
    }
}
