/// Why a request to a service failed, with all that decides what to do about it.
struct ServiceFailure: Error {
    var code: ObjectStoreError.Code
    /// What the service or the network said, for people.
    var detail: String
    var isRetryable = false
    /// The answer's status; 0 when there was none.
    var status = 0
    /// The service's own name of the fault, such as `NoSuchKey`.
    var serviceCode = ""
    /// True when it is the bucket or container that is not there.
    var isContainerMissing = false
    /// The region that the service names as the right one.
    var region: String?
    /// The host that the service names as the right one.
    var host: String?
    var retryAfter: Duration?
    /// The answer's `Date`.
    var serverDate: String?
    /// True when the service may have carried out what was asked.
    var mayHaveRun = false
    /// What had arrived when the connection broke.
    var partial: HTTPResponse?
    var cause: (any Error)?

    init(_ code: ObjectStoreError.Code, _ detail: String, cause: (any Error)? = nil) {
        self.code = code
        self.detail = detail
        self.cause = cause
    }

    static func cancelled(_ cause: any Error) -> ServiceFailure {
        ServiceFailure(.unavailable, "cancelled", cause: cause)
    }
}

extension ServiceFailure {
    /// No answer, or a broken one.
    init(_ error: HTTPError, host: String) {
        switch error.code {
        case .cancelled:
            self = .cancelled(CancellationError())
        case .cannotResolve, .cannotConnect:
            self.init(.unavailable, "cannot reach \(host): \(error.message)")
            isRetryable = true
        case .untrusted:
            self.init(.unavailable, "\(host) is not trusted: \(error.message)")
        case .timedOut, .broken:
            self.init(.unavailable, "the connection to \(host) failed: \(error.message)")
            isRetryable = true
        case .tooLong:
            self.init(.corrupt, error.message)
        case .invalid:
            self.init(.invalid, error.message)
        }
        mayHaveRun = error.wasSent
        partial = error.partial
    }

    /// An answer that is a refusal, by its status and the name that the service gives the fault.
    init(status: Int, serviceCode: String, message: String) {
        self.init(Self.code(status: status, serviceCode), message)
        self.status = status
        self.serviceCode = serviceCode
        isContainerMissing = serviceCode == "NoSuchBucket"
        isRetryable =
            code == .throttled || status == 500 || status == 502 || status == 504 || status == 408
            || Self.passing.contains(serviceCode)
        if isRetryable, code != .throttled { code = .unavailable }
        // A failure on the service's side says nothing about how far it came.
        mayHaveRun = status >= 500 || status == 200 || status == 408
    }

    /// Takes over what the head of an answer says besides: its time, and when to come back.
    mutating func take(head: HTTPHeaders) {
        retryAfter = head["retry-after"].flatMap { Int($0) }.map { .seconds(max(0, $0)) }
        serverDate = head["date"]
    }

    /// Adds the beginning of a body that is in no form known, where nothing else explains the failure.
    mutating func explain(by body: [UInt8]) {
        guard detail.isEmpty else { return }
        let text = String(decoding: body.prefix(200), as: UTF8.self)
        detail = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }

    /// Adds the service's name of the request, by which its operators find it.
    mutating func add(requestID: String?) {
        guard let requestID, !requestID.isEmpty else { return }
        detail += "\(detail.isEmpty ? "" : "; ")request \(requestID)"
    }

    /// Faults that may be gone at the next try, though the status does not tell.
    private static let passing: Set<String> = [
        "InternalError", "RequestTimeout", "OperationAborted", "ConditionalRequestConflict", "IncompleteBody",
        // The body was changed on its way.
        "BadDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch",
        // Google's.
        "backendError", "internalError", "conflict",
    ]

    private static let throttling: Set<String> = [
        "SlowDown", "SlowDownRead", "SlowDownWrite", "Throttling", "ThrottlingException", "RequestLimitExceeded",
        "TooManyRequests", "TooManyRequestsException", "BandwidthLimitExceeded", "RequestThrottled",
        "rateLimitExceeded", "userRateLimitExceeded",
    ]

    private static let full: Set<String> = [
        "QuotaExceeded", "InsufficientCapacity", "XMinioStorageFull", "InsufficientStorage",
    ]

    private static func code(status: Int, _ name: String) -> ObjectStoreError.Code {
        if throttling.contains(name) { return .throttled }
        if full.contains(name) { return .full }
        switch (status, name) {
        case (429, _), (503, _): return .throttled
        case (507, _): return .full
        case (_, "NoSuchUpload"): return .unavailable  // removed by somebody: to be sent anew
        case (404, _), (_, "NoSuchKey"), (_, "NoSuchBucket"): return .notFound
        case (401, _), (403, _), (_, "ExpiredToken"), (_, "ExpiredTokenException"), (_, "TokenRefreshRequired"),
            (_, "InvalidToken"), (_, "AccessDenied"):
            return .denied
        case (412, _), (_, "PreconditionFailed"): return .alreadyExists
        case (501, _): return .invalid
        case (500..., _): return .unavailable
        default: return .invalid
        }
    }
}

extension ServiceFailure {
    /// In words: what happened, and in brackets what the service said.
    ///
    /// - Parameter container: The bucket or container, with that word before it: `bucket backups`.
    func explanation(container: String) -> String {
        let words: String =
            switch code {
            case .notFound where isContainerMissing: "there is no \(container)"
            case .notFound where serviceCode.isEmpty: "there is no such object, or no \(container)"
            case .notFound: "there is no such object"
            case .alreadyExists: "the object exists already"
            case .denied: "access denied"
            case .throttled: "the service asks to slow down"
            case .full: "no space left"
            case .unavailable where status > 0: "the service fails"
            case .invalid where status > 0: "the service refuses the request"
            case .corrupt where status > 0: "the answer is not as promised"
            default: ""
            }
        let answer = status == 0 ? "" : "\(status)\(serviceCode.isEmpty ? "" : " \(serviceCode)")"
        let said = [answer, detail].filter { !$0.isEmpty }.joined(separator: ": ")
        if words.isEmpty { return said }
        return said.isEmpty ? words : "\(words) (\(said))"
    }
}
