/// Sends an object's parts several at a time.
///
/// - Parameters:
///   - first: The first part, which `source` has given already.
///   - source: Gives the rest. Parts are read here and in order, each only once there is a place for it.
///   - uploads: The places: they bound the memory over all calls of a store.
///   - concurrency: How many parts of this object are under way at most.
///   - send: Sends part `number`, counted from 1.
/// - Returns: What `send` gave, in the order of the parts.
func sendParts<Part: Sendable>(
    _ first: HTTPBody, _ source: inout PartSource, places uploads: AsyncSemaphore, concurrency: Int,
    _ send: @escaping @Sendable (HTTPBody, Int) async throws(ServiceFailure) -> Part
) async throws(ServiceFailure) -> [Part] {
    var parts = source
    defer { source = parts }
    do {
        return try await withThrowingTaskGroup(of: (number: Int, part: Part).self) { group in
            var sent: [(number: Int, part: Part)] = []
            var next: HTTPBody? = first
            var count = 0
            while let body = next {
                // Here a failed part is learnt of before all has been read.
                if count - sent.count >= concurrency, let part = try await group.next() { sent.append(part) }
                try await uploads.acquire()
                count += 1
                let number = count
                group.addTask {
                    defer { uploads.release() }
                    return (number, try await send(body, number))
                }
                next = try await parts.next()
            }
            for try await part in group { sent.append(part) }
            return sent.sorted { $0.number < $1.number }.map(\.part)
        }
    } catch {
        if let failure = error as? ServiceFailure { throw failure }
        throw .cancelled(error)
    }
}

/// Runs `work` to its end, whether or not the task that awaits it is cancelled: for tidying up.
func regardlessOfCancellation(_ work: @escaping @Sendable () async -> Void) async {
    await Task.detached { await work() }.value
}
