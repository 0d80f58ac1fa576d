import Digests
import FoundationEssentials

/// An object as the service describes it.
struct GoogleCloudObject: Decodable, Sendable {
    let sizeBytes: Int
    /// The number of this content: another one when the object is replaced.
    let generation: String?
    /// The CRC-32C of the content.
    let crc32c: UInt32?
    let metadata: [String: String]?

    private enum CodingKeys: String, CodingKey { case size, generation, crc32c, metadata }

    /// The fields that are read, for an answer without the others.
    static let fields = "size,generation,crc32c,metadata"

    init(from decoder: any Decoder) throws {
        let object = try decoder.container(keyedBy: CodingKeys.self)
        sizeBytes = try object.decode(DecimalText.self, forKey: .size).value
        generation = try object.decodeIfPresent(String.self, forKey: .generation)
        crc32c = try object.decodeIfPresent(String.self, forKey: .crc32c).flatMap { CRC32C.value(base64: $0) }
        metadata = try object.decodeIfPresent([String: String].self, forKey: .metadata)
    }

    static func parse(_ response: HTTPResponse) throws(ServiceFailure) -> GoogleCloudObject {
        do { return try JSONDecoder().decode(GoogleCloudObject.self, from: Data(response.body)) } catch {
            throw ServiceFailure(.corrupt, "the answer does not describe an object")
        }
    }
}

/// A number that is written as text, as JSON's own are not exact.
private struct DecimalText: Decodable {
    let value: Int

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let value = Int(try container.decode(String.self)), value >= 0 else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "no length")
        }
        self.value = value
    }
}

/// One answer to a listing.
struct GoogleCloudListing: Decodable {
    struct Item: Decodable {
        let name: String
        fileprivate let size: DecimalText
        let generation: String?
    }
    let items: [Item]?
    let prefixes: [String]?
    let nextPageToken: String?

    /// The fields that are read.
    static let fields = "items(name,size,generation),prefixes,nextPageToken"
}

extension ServicePage {
    /// Nil when the bytes are no listing, or one with a length that cannot be.
    init?(googleCloud body: [UInt8]) {
        guard let listing = try? JSONDecoder().decode(GoogleCloudListing.self, from: Data(body)) else { return nil }
        objects = (listing.items ?? []).map {
            Entry(key: $0.name, sizeBytes: $0.size.value, etag: $0.generation)
        }
        commonPrefixes = listing.prefixes ?? []
        next = listing.nextPageToken.flatMap { $0.isEmpty ? nil : $0 }
    }
}

/// A refusal as the service writes it.
private struct GoogleCloudRefusal: Decodable {
    struct Content: Decodable {
        struct Item: Decodable { let reason, message: String? }
        let message: String?
        let errors: [Item]?
    }
    let error: Content
}

extension ServiceFailure {
    init(googleCloud response: HTTPResponse) {
        let refusal = try? JSONDecoder().decode(GoogleCloudRefusal.self, from: Data(response.body)).error
        let message = refusal?.message ?? refusal?.errors?.first?.message ?? ""
        var reason = refusal?.errors?.first?.reason ?? ""
        // Emulators put words there.
        if reason.contains(" ") { reason = "" }
        // The body was changed on its way, and the service has noticed.
        let digests = ["crc32c", "md5 hash"]
        if response.status == 400 || response.status == 412, digests.contains(where: message.lowercased().contains) {
            reason = Self.badDigest
        }
        self.init(status: response.status, serviceCode: reason, message: message)
        isContainerMissing = response.status == 404 && message.contains("bucket does not exist")
        take(head: response.headers)
        if refusal == nil { explain(by: response.body) }
        add(requestID: response.headers["x-guploader-uploadid"])
    }

    static let badDigest = "BadDigest"

    var isBadDigest: Bool { serviceCode == Self.badDigest }
}
