/// A request to OSS before it is signed. What is sent must be the same: `query` gives the encoded query.
public struct OSSRequest: Sendable {
    public var method: String
    public var bucket: String
    /// The object's whole key, not encoded; nil for the bucket itself.
    public var key: String?
    /// Not encoded, in any order. An item without a value, such as `?uploads`, has the value `""`.
    public var items: [(name: String, value: String)]
    /// Without those that signing adds.
    public var headers: [(name: String, value: String)]

    public init(
        method: String, bucket: String, key: String? = nil, items: [(name: String, value: String)] = [],
        headers: [(name: String, value: String)] = []
    ) {
        self.method = method
        self.bucket = bucket
        self.key = key
        self.items = items
        self.headers = headers
    }

    /// The query as it is signed and sent: encoded and sorted, items without a value by their name alone. Empty when
    /// there is none.
    public var query: String {
        items.map { (PercentEncoding.encode($0.name), PercentEncoding.encode($0.value)) }
            .sorted { ($0.0, $0.1) < ($1.0, $1.1) }
            .map { $0.1.isEmpty ? $0.0 : "\($0.0)=\($0.1)" }
            .joined(separator: "&")
    }

    /// The headers as signatures take them: names in lower case, by name.
    func sortedHeaders(
        with added: [(name: String, value: String)], _ isSigned: (String) -> Bool
    ) -> [(name: String, value: String)] {
        (headers + added).map { (name: $0.name.lowercased(), value: $0.value) }
            .filter { isSigned($0.name) }
            .sorted { $0.name < $1.name }
    }
}
