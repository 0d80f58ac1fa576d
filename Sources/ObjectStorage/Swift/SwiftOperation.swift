import StorageURI

/// One request to the service.
struct SwiftOperation: Sendable {
    /// What it is about, below the account's address.
    enum Target: Sendable {
        case account
        case container(String)
        case object(container: String, key: String)

        var path: String {
            switch self {
            case .account: ""
            case .container(let name): "/\(PercentEncoding.encode(name))"
            case .object(let container, let key):
                "/\(PercentEncoding.encode(container))/\(PercentEncoding.encode(key, keeping: "/"))"
            }
        }
    }

    var method: String
    var target: Target
    var query: [(name: String, value: String)] = []
    var headers: [(name: String, value: String)] = []
    var body: HTTPBody = .none
    var responseLimit = 16 << 20
    /// False where sending it twice is not the same as once.
    var isRepeatable = true
    /// For an answer that is long in coming, as that of joining many segments.
    var mayStall = false

    /// What follows the account's address.
    var suffix: String {
        if query.isEmpty { return target.path }
        let pairs = query.map { name, value in
            value.isEmpty ? name : "\(name)=\(PercentEncoding.encode(value))"
        }
        return "\(target.path)?\(pairs.joined(separator: "&"))"
    }
}

/// What a store needs to know, once settings are resolved.
struct SwiftOptions: Sendable {
    var segmentBytes = 32 << 20
    /// Content whose length is known is sent in one piece up to this; nil: four segments.
    var wholeBytes: Int?
    var uploadConcurrency = 4
    var retries = RetryPolicy()
    var requestTimeout: Duration = .seconds(600)
}
