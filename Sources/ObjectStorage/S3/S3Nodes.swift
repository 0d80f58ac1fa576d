import StorageURI

/// Which of a service's hosts to connect to, as another service says (`S3_ENDPOINT_SOURCE`).
actor S3Nodes {
    /// How long an answer is used, and how long none is asked for after there was none.
    private static let lifetime: Duration = .seconds(10)
    private static let timeout: Duration = .seconds(5)

    private let source: S3Settings.NodeSource
    private let transport: HTTPTransport
    private var current: (address: String?, until: ContinuousClock.Instant)?
    /// The question under way, which all who ask meanwhile share.
    private var question: Task<String?, Never>?

    init(_ source: S3Settings.NodeSource, transport: HTTPTransport) {
        self.source = source
        self.transport = transport
    }

    /// `host:port`; nil where there is no usable answer: the endpoint itself serves then.
    func address() async -> String? {
        if let current, ContinuousClock.now < current.until { return current.address }
        if let question { return await question.value }
        let task = Task { [source, transport] () -> String? in
            let request = HTTPFetchRequest(url: source.url, timeout: Self.timeout)
            guard let response = try? await transport.fetch(request), response.status == 200 else { return nil }
            return source.address(answer: response.body)
        }
        question = task
        let address = await task.value
        question = nil
        current = (address, ContinuousClock.now + Self.lifetime)
        return address
    }

    /// Asks anew at the next request: what was given cannot be reached.
    func forget(_ address: String) {
        if current?.address == address { current = nil }
    }
}
