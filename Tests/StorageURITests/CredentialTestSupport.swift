import Foundation
import StorageURI
import Synchronization

struct NoAnswer: Error, CustomStringConvertible {
    let description = "connection refused"
}

/// Answers by what it is told to, and keeps what it was asked.
final class ScriptedFetcher: HTTPFetcher {
    private let answer: @Sendable (HTTPFetchRequest) throws -> HTTPFetchResponse
    private let kept = Mutex<[HTTPFetchRequest]>([])

    init(_ answer: @escaping @Sendable (HTTPFetchRequest) throws -> (Int, String) = { _ in throw NoAnswer() }) {
        self.answer = { request in
            let (status, body) = try answer(request)
            return HTTPFetchResponse(status: status, body: Array(body.utf8))
        }
    }

    /// With heads too.
    init(responding answer: @escaping @Sendable (HTTPFetchRequest) throws -> HTTPFetchResponse) {
        self.answer = answer
    }

    var requests: [HTTPFetchRequest] { kept.withLock { $0 } }

    func fetch(_ request: HTTPFetchRequest) async throws -> HTTPFetchResponse {
        kept.withLock { $0.append(request) }
        await Task.yield()
        return try answer(request)
    }
}

extension HTTPFetchRequest {
    var text: String { String(decoding: body, as: UTF8.self) }

    func header(_ name: String) -> String? { headers.first { $0.name.lowercased() == name.lowercased() }?.value }
}

/// A clock that is moved by hand.
final class HandClock: Sendable {
    private let seconds = Mutex(1_800_000_000.0)

    var now: Date { Date(timeIntervalSince1970: seconds.withLock { $0 }) }
    func advance(_ interval: Double) { seconds.withLock { $0 += interval } }
    func time(in interval: Double) -> String { (now + interval).formatted(.iso8601) }
}

func chain(
    _ variables: [String: String], role: StorageRole? = nil, region: String? = nil,
    _ fetcher: any HTTPFetcher = ScriptedFetcher(), clock: HandClock = HandClock()
) -> AWSCredentialChain {
    AWSCredentialChain(
        environment: RoleEnvironment(variables, role: role), region: region, http: fetcher,
        pause: .milliseconds(1), now: { clock.now })
}

func keys(
    _ variables: [String: String], role: StorageRole? = nil, region: String? = nil,
    _ fetcher: any HTTPFetcher = ScriptedFetcher()
) async throws -> AWSCredentials {
    try await chain(variables, role: role, region: region, fetcher).credentials(refresh: false)
}

/// The message of a chain that gives nothing; "" when it gives something.
func failure(
    _ variables: [String: String], role: StorageRole? = nil, _ fetcher: any HTTPFetcher = ScriptedFetcher()
) async -> String {
    do {
        _ = try await keys(variables, role: role, fetcher)
        return ""
    } catch { return "\(error)" }
}

/// What the token service answers.
func stsAnswer(_ id: String, expires: String = "2030-01-01T00:00:00Z") -> (Int, String) {
    (
        200,
        """
        <AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
        <AssumedRoleUser><AssumedRoleId>AROA:zenith</AssumedRoleId></AssumedRoleUser>
        <Credentials><AccessKeyId>\(id)</AccessKeyId><SecretAccessKey>made-secret</SecretAccessKey>
        <SessionToken>to&amp;ken</SessionToken><Expiration>\(expires)</Expiration></Credentials>
        </AssumeRoleResult></AssumeRoleResponse>
        """
    )
}

func stsRefusal(_ code: String, _ text: String) -> (Int, String) {
    (
        403,
        """
        <ErrorResponse><Error><Type>Sender</Type><Code>\(code)</Code><Message>\(text)</Message></Error>
        <RequestId>req-1</RequestId></ErrorResponse>
        """
    )
}

/// True the first time.
final class Once: Sendable {
    private let taken = Mutex(false)

    func take() -> Bool {
        taken.withLock { taken in
            defer { taken = true }
            return !taken
        }
    }
}
