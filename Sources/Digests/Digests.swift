import COpenSSL

/// A running digest: SHA-256, SHA-1 or MD5. Freed exactly once, when the value goes out of scope.
public struct Hasher: ~Copyable {
    public enum Algorithm: Sendable { case sha256, sha1, md5 }

    private let context: OpaquePointer

    public init(_ algorithm: Algorithm) {
        let type =
            switch algorithm {
            case .sha256: EVP_sha256()
            case .sha1: EVP_sha1()
            case .md5: EVP_md5()
            }
        context = EVP_MD_CTX_new()!  // nil only when memory is exhausted
        let started = EVP_DigestInit_ex(context, type, nil)
        precondition(started == 1, "libcrypto does not offer this digest")
    }

    deinit { EVP_MD_CTX_free(context) }

    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
    }

    public mutating func update(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { update($0) }
    }

    /// The digest of all that was given: 32, 20 or 16 bytes.
    public consuming func finish() -> [UInt8] {
        var count: UInt32 = 0
        return [UInt8](unsafeUninitializedCapacity: Int(EVP_MAX_MD_SIZE)) { buffer, initialized in
            EVP_DigestFinal_ex(context, buffer.baseAddress, &count)
            initialized = Int(count)
        }
    }
}

public enum Digest {
    public static func sha256(_ bytes: some Sequence<UInt8>) -> [UInt8] { hash(.sha256, bytes) }
    public static func sha1(_ bytes: some Sequence<UInt8>) -> [UInt8] { hash(.sha1, bytes) }
    public static func md5(_ bytes: some Sequence<UInt8>) -> [UInt8] { hash(.md5, bytes) }

    /// HMAC with SHA-256, RFC 2104: 32 bytes.
    public static func hmacSHA256(key: [UInt8], _ bytes: some Sequence<UInt8>) -> [UInt8] {
        hmac(EVP_sha256(), key, bytes)
    }

    /// HMAC with SHA-1, RFC 2104: 20 bytes. For services that ask for it.
    public static func hmacSHA1(key: [UInt8], _ bytes: some Sequence<UInt8>) -> [UInt8] {
        hmac(EVP_sha1(), key, bytes)
    }

    private static func hmac(_ type: OpaquePointer?, _ key: [UInt8], _ bytes: some Sequence<UInt8>) -> [UInt8] {
        let message = Array(bytes)
        var count: UInt32 = 0
        return [UInt8](unsafeUninitializedCapacity: Int(EVP_MAX_MD_SIZE)) { buffer, initialized in
            HMAC(type, key, Int32(key.count), message, message.count, buffer.baseAddress, &count)
            initialized = Int(count)
        }
    }

    private static func hash(_ algorithm: Hasher.Algorithm, _ bytes: some Sequence<UInt8>) -> [UInt8] {
        var hasher = Hasher(algorithm)
        if bytes.withContiguousStorageIfAvailable({ hasher.update(UnsafeRawBufferPointer($0)) }) == nil {
            hasher.update(Array(bytes))
        }
        return hasher.finish()
    }
}
