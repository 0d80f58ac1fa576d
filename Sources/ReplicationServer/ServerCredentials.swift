import NIOSSL

/// Who may connect, and the certificate that is shown to them: what a server can change while it runs.
struct ServerCredentials: Sendable {
    let users: [String: SCRAMVerifier]
    let trustsLoopback: Bool
    /// From which the salts of users are made who do not exist.
    let mockSecret: [UInt8]
    /// Nil: TLS is not offered.
    let tls: NIOSSLContext?
    let requiresTLS: Bool
    /// What `tls-server-end-point` binds to; nil where there is no TLS, or the certificate has no such hash.
    let certificateHash: [UInt8]?

    /// - Throws: `CertificateError`.
    init(_ configuration: ReplicationServerConfiguration) throws {
        users = configuration.users
        trustsLoopback = configuration.trustsLoopback
        mockSecret = SCRAMVerifier.mockSecret(configuration.users)
        requiresTLS = configuration.tls?.isRequired ?? false
        guard let files = configuration.tls else {
            tls = nil
            certificateHash = nil
            return
        }
        do {
            let chain = try NIOSSLCertificate.fromPEMFile(files.certificateFile)
            var settings = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain.map { .certificate($0) },
                privateKey: .privateKey(try NIOSSLPrivateKey(file: files.privateKeyFile, format: .pem)))
            settings.minimumTLSVersion = .tlsv12
            certificateHash = try chain.first.flatMap { tlsServerEndPoint(certificate: try $0.toDERBytes()) }
            tls = try NIOSSLContext(configuration: settings)
        } catch {
            throw CertificateError(
                description: "certificate \(files.certificateFile) with key \(files.privateKeyFile) cannot be used: "
                    + "\(error)")
        }
    }
}

/// A certificate, or its key, that cannot be used.
public struct CertificateError: Error, CustomStringConvertible {
    public let description: String
}
