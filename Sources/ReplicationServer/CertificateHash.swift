import COpenSSL

/// The hash of a certificate that the channel binding `tls-server-end-point` names, RFC 5929: by the algorithm of the
/// certificate's signature, SHA-256 in place of MD5 and SHA-1. Nil when the algorithm has no hash of its own (Ed25519),
/// or the bytes are no certificate.
///
/// - Note: Source: PostgreSQL, `be_tls_get_certificate_hash`.
func tlsServerEndPoint(certificate: [UInt8]) -> [UInt8]? {
    let parsed = certificate.withUnsafeBufferPointer { bytes in
        var start = bytes.baseAddress
        return d2i_X509(nil, &start, bytes.count)
    }
    guard let parsed else { return nil }
    defer { X509_free(parsed) }
    var digest: Int32 = 0
    guard OBJ_find_sigid_algs(X509_get_signature_nid(parsed), &digest, nil) == 1 else { return nil }
    let algorithm =
        switch digest {
        case NID_md5, NID_sha1: EVP_sha256()
        default: OBJ_nid2sn(digest).flatMap { EVP_get_digestbyname($0) }
        }
    guard let algorithm else { return nil }
    var hash = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
    var count: UInt32 = 0
    guard X509_digest(parsed, algorithm, &hash, &count) == 1 else { return nil }
    return Array(hash[..<Int(count)])
}
