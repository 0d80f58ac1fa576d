import COpenSSL
import FoundationEssentials

/// An RSA key that signs as RFC 7518 calls RS256: PKCS#1 v1.5 with SHA-256.
///
/// - Note: `@unchecked`: libcrypto counts references atomically and lets threads share a key that nobody changes.
public final class RSAPrivateKey: @unchecked Sendable {
    /// Why there is no key, or no signature. The words hold nothing of the key.
    public enum Failure: Error, Sendable, Equatable, CustomStringConvertible {
        case notAKey
        /// Encrypted, and the passphrase is missing or wrong.
        case locked
        case notRSA
        case cannotSign

        public var description: String {
            switch self {
            case .notAKey: "it is no private key in PEM form"
            case .locked: "it is encrypted, and the passphrase is missing or wrong"
            case .notRSA: "it is not an RSA key"
            case .cannotSign: "libcrypto cannot sign with it"
            }
        }
    }

    private let key: OpaquePointer

    /// Reads the first private key in a text in PEM form: PKCS#8, encrypted or not, or PKCS#1.
    public init(pem: String, passphrase: String? = nil) throws(Failure) {
        let bytes = Array(pem.utf8)
        guard let input = BIO_new_mem_buf(bytes, Int32(clamping: bytes.count)) else { throw .notAKey }
        defer { BIO_free(input) }
        // Without a function that asks for it, the last argument is the passphrase; never is a terminal asked.
        let read = (passphrase ?? "").withCString { text in
            PEM_read_bio_PrivateKey(input, nil, nil, UnsafeMutableRawPointer(mutating: text))
        }
        guard let read else {
            ERR_clear_error()
            // `Proc-Type: 4,ENCRYPTED` in the older form.
            throw pem.contains("ENCRYPTED") ? .locked : .notAKey
        }
        guard EVP_PKEY_get_base_id(read) == EVP_PKEY_RSA else {
            EVP_PKEY_free(read)
            throw .notRSA
        }
        key = read
    }

    deinit { EVP_PKEY_free(key) }

    /// The signature of `message`, as long as the key's modulus.
    public func signature(of message: some Sequence<UInt8>) throws(Failure) -> [UInt8] {
        guard let context = EVP_MD_CTX_new() else { throw .cannotSign }
        defer { EVP_MD_CTX_free(context) }
        let message = Array(message)
        var count = Int(EVP_PKEY_get_size(key))
        var signature = [UInt8](repeating: 0, count: count)
        guard EVP_DigestSignInit(context, nil, EVP_sha256(), nil, key) == 1,
            EVP_DigestSign(context, &signature, &count, message, message.count) == 1
        else {
            ERR_clear_error()
            throw .cannotSign
        }
        signature.removeLast(signature.count - count)
        return signature
    }
}

/// Certificates in the text form of RFC 7468.
public enum PEM {
    /// The certificates in a text, each in DER: of these bytes thumbprints are made. What is malformed is left out.
    public static func certificates(in text: String) -> [[UInt8]] {
        let (begin, end) = ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----")
        var certificates: [[UInt8]] = []
        var rest = text[...]
        while let start = rest.firstRange(of: begin), let stop = rest[start.upperBound...].firstRange(of: end) {
            let lines = rest[start.upperBound..<stop.lowerBound].filter { !$0.isWhitespace }
            if let bytes = [UInt8](base64: lines) { certificates.append(bytes) }
            rest = rest[stop.upperBound...]
        }
        return certificates
    }
}
