import Digests
public import StorageURI

extension S3ObjectStore {
    /// - Parameters:
    ///   - credentials: Asked before every request.
    ///   - transport: May be shared by stores whose settings want the same of it.
    public convenience init(
        location: StorageLocation, settings: S3Settings, credentials: any AWSCredentialProvider,
        transport: HTTPTransport
    ) {
        self.init(
            location: location, options: S3Options(settings, bucket: location.container), credentials: credentials,
            transport: transport)
    }
}

extension S3Options {
    init(_ settings: S3Settings, bucket: String) {
        endpoint = S3Endpoint(service: settings.service, bucket: bucket, usesPathStyle: settings.usesPathStyle)
        region = settings.region
        partSizeBytes = settings.partSizeBytes
        uploadConcurrency = settings.common.uploadConcurrency
        deleteBatchSize = settings.deleteBatchSize
        usesListObjectsV1 = settings.usesListObjectsV1
        signsPayload = settings.signsPayload
        storageClass = settings.storageClass
        retention = settings.retention
        nodeSource = settings.nodeSource
        additionalHeaders = settings.additionalHeaders
        requestTimeout = settings.requestTimeout
        retries.maximumRetries = settings.maximumRetries
        retries.minimumThrottlingDelay = settings.minimumThrottlingDelay
        retries.maximumThrottlingDelay = settings.maximumThrottlingDelay
        switch settings.encryption {
        case .service(let algorithm, let keyID): encryption = .service(algorithm: algorithm, keyID: keyID)
        case .customer(let key):
            // Checked when the settings were read.
            let bytes = S3Settings.decodeKey(key) ?? []
            encryption = .customer(key: bytes, md5: Digest.md5(bytes))
        case nil: break
        }
    }
}

extension HTTPTransportSettings {
    init(_ settings: S3Settings, environment: RoleEnvironment) {
        self.init(settings.common, environment: environment)
        connectTimeout = settings.connectTimeout
        stallTimeout = settings.stallTimeout
    }
}
