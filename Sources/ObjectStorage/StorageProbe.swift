/// Proves that a storage can do what is needed of it, with a small object that is removed again.
public enum StorageProbe {
    /// One thing that was tried.
    public struct Fact: Sendable {
        /// What: `write`, `create-if-absent`, `ranged read`, `list`, `delete`.
        public let name: String
        public let ok: Bool
        /// How it went, for people.
        public let detail: String
        public let error: ObjectStoreError?
    }

    /// Tries everything in turn, and stops where the rest cannot work. Leaves no object behind, cancelled or not.
    public static func run(_ store: any ObjectStore) async -> [Fact] {
        let random = String(UInt64.random(in: 0 ... .max), radix: 36)
        var probe = Probe(store: store, key: ObjectKey(".zenith-probe-\(random)"))
        return await probe.run()
    }
}

private struct Probe {
    let store: any ObjectStore
    let key: ObjectKey
    let content = Array("What Zenith writes to see whether it can; it may be removed.\n".utf8)
    var facts: [StorageProbe.Fact] = []

    mutating func run() async -> [StorageProbe.Fact] {
        let wrote = await write()
        if wrote {
            await refuseOverwrite()
            await readRange()
            await list()
        }
        await delete(wrote: wrote)
        return facts
    }

    private mutating func note(_ name: String, _ ok: Bool, _ detail: String, _ error: ObjectStoreError? = nil) {
        facts.append(StorageProbe.Fact(name: name, ok: ok, detail: detail, error: error))
    }

    private mutating func write() async -> Bool {
        do throws(ObjectStoreError) {
            try await store.put(key, .bytes(content), mode: .createOnly)
            note("write", true, "\(content.count) bytes")
            return true
        } catch {
            note("write", false, error.description, error)
            return false
        }
    }

    private mutating func refuseOverwrite() async {
        let name = "create-if-absent"
        do throws(ObjectStoreError) {
            try await store.put(key, .bytes([0]), mode: .createOnly)
            note(name, false, "an object that was there was overwritten: two writers would not notice each other")
            // For what follows, as it was.
            try await store.put(key, .bytes(content), mode: .overwrite)
        } catch {
            if error.code != .alreadyExists { return note(name, false, error.description, error) }
            note(
                name, true,
                store.createsAtomically
                    ? "an object that is there is not overwritten"
                    : "checked before writing, as the storage has no such operation: keep to one writer")
        }
    }

    private mutating func readRange() async {
        do throws(ObjectStoreError) {
            let range = 5..<17
            let bytes = try await store.get(key, range: range)
            let ok = bytes == Array(content[range])
            note(
                "ranged read", ok, ok ? "\(range.count) bytes" : "other bytes than were written: \(bytes.count) of them"
            )
        } catch { note("ranged read", false, error.description, error) }
    }

    private mutating func list() async {
        do throws(ObjectStoreError) {
            let objects = try await store.list(prefix: key.text, delimiter: nil, after: nil, limit: 2).objects
            let ok = objects.count == 1 && objects[0].key == key && objects[0].sizeBytes == content.count
            note("list", ok, ok ? "found" : "the object that was written is not in the listing, or with another length")
        } catch { note("list", false, error.description, error) }
    }

    /// Done even when writing failed, as it may have been done all the same; and in a task of its own, so that
    /// cancelling the check does not leave the object behind.
    private mutating func delete(wrote: Bool) async {
        let (store, key) = (store, key)
        let failure = await Task.detached { () -> ObjectStoreError? in
            do throws(ObjectStoreError) {
                try await store.delete([key])
                return try await store.exists(key)
                    ? ObjectStoreError(.corrupt, "\(store.location): delete \(key): it is still there") : nil
            } catch { return error }
        }.value
        guard wrote else { return }
        note("delete", failure == nil, failure?.description ?? "gone", failure)
    }
}
