import StorageURI

/// `s3`: Amazon S3, and every service that speaks its protocol.
enum S3Backend: StorageBackend {
    static let scheme = StorageScheme.s3
    static let variables = S3Variables.groups
    static let retries: EnvironmentVariable? = S3Variables.maxRetries

    static let permissions: [StorageProbe.Step: String] = [
        .write: "s3:PutObject", .createIfAbsent: "s3:PutObject and s3:GetObject", .rangedRead: "s3:GetObject",
        .list: "s3:ListBucket", .largeObject: "s3:PutObject and s3:AbortMultipartUpload", .delete: "s3:DeleteObject",
    ]

    static func inspect(
        _ location: StorageLocation, _ environment: RoleEnvironment
    ) throws(SettingsError) -> StorageInspection {
        try S3Settings.inspect(bucket: location.container, environment: environment)
    }

    static func findCredentials(
        _ location: StorageLocation, _ environment: RoleEnvironment, http: (any HTTPFetcher)?
    ) async throws -> String? {
        let settings = try S3Settings(bucket: location.container, environment: environment)
        let chain = credentials(settings, environment, http: http)
        let found = try await chain.credentials(refresh: false)
        // Four characters tell two keys apart.
        return "\(found.source) (key …\(found.accessKeyID.suffix(4)))"
            + (found.expiration == nil ? "" : ", temporary")
    }

    static func open(_ location: StorageLocation, _ environment: RoleEnvironment) throws -> any ObjectStore {
        let settings = try S3Settings(bucket: location.container, environment: environment)
        return S3ObjectStore(
            location: location, settings: settings, credentials: credentials(settings, environment, http: nil),
            transport: HTTPTransport(settings: HTTPTransportSettings(settings, environment: environment)))
    }

    private static func credentials(
        _ settings: S3Settings, _ environment: RoleEnvironment, http: (any HTTPFetcher)?
    ) -> any AWSCredentialProvider {
        // Credentials come from other hosts: authorities named for the storage alone do not count there.
        var transport = HTTPTransportSettings(settings, environment: environment)
        if let variable = settings.origins["S3_CA_CERT_FILE"], !variable.hasSuffix("AWS_CA_BUNDLE") {
            transport.caFile = environment.value("SSL_CERT_FILE")?.text
        }
        // Who stands in for services stands in for programs as well, or there are none.
        let programs = http.map { $0 as? any ProgramRunner } ?? LocalPrograms()
        return AWSCredentialChain.make(
            environment: environment, region: settings.region, http: http ?? HTTPTransport(settings: transport),
            programs: programs)
    }
}
