import StorageURI

/// `gs`: Google Cloud Storage, by its JSON API.
enum GoogleCloudBackend: StorageBackend {
    static let scheme = StorageScheme.gs
    static let variables = GoogleCloudVariables.groups
    static let retries: EnvironmentVariable? = GoogleCloudVariables.maxRetries

    static let permissions: [StorageProbe.Step: String] = [
        .write: "storage.objects.create", .createIfAbsent: "storage.objects.create and storage.objects.get",
        .rangedRead: "storage.objects.get", .list: "storage.objects.list", .largeObject: "storage.objects.create",
        .delete: "storage.objects.delete",
    ]

    static func inspect(
        _ location: StorageLocation, _ environment: RoleEnvironment
    ) throws(SettingsError) -> StorageInspection {
        try GoogleCloudSettings.inspect(environment: environment)
    }

    static func findCredentials(
        _ location: StorageLocation, _ environment: RoleEnvironment, http: (any HTTPFetcher)?
    ) async throws -> String? {
        let settings = try GoogleCloudSettings(environment: environment)
        let transport = HTTPTransportSettings(settings.common, environment: environment)
        let chain = GoogleCredentialChain.make(
            environment: environment, settings: settings, http: http ?? HTTPTransport(settings: transport))
        let token = try await chain.token(refresh: false)
        return token.accessToken == nil ? nil : token.source
    }

    static func open(_ location: StorageLocation, _ environment: RoleEnvironment) throws -> any ObjectStore {
        let settings = try GoogleCloudSettings(environment: environment)
        let transport = HTTPTransport(settings: HTTPTransportSettings(settings.common, environment: environment))
        return GoogleCloudObjectStore(
            location: location, options: GoogleCloudOptions(settings, bucket: location.container),
            tokens: GoogleCredentialChain.make(environment: environment, settings: settings, http: transport),
            transport: transport)
    }
}
