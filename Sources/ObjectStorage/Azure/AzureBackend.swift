import StorageURI

/// `azure`: Azure Blob Storage.
enum AzureBackend: StorageBackend {
    static let scheme = StorageScheme.azure
    static let variables = AzureVariables.groups
    static let retries: EnvironmentVariable? = AzureVariables.maxRetries

    private static let writing = "the action blobs/write (in a signature: c and w)"
    static let permissions: [StorageProbe.Step: String] = [
        .write: writing, .createIfAbsent: writing, .largeObject: writing,
        .rangedRead: "the action blobs/read (in a signature: r)",
        .list: "the action blobs/read on the whole container (in a signature: l, of the container)",
        .delete: "the action blobs/delete (in a signature: d)",
    ]

    static func inspect(
        _ location: StorageLocation, _ environment: RoleEnvironment
    ) throws(SettingsError) -> StorageInspection { try AzureSettings.inspect(environment) }

    static func findCredentials(
        _ location: StorageLocation, _ environment: RoleEnvironment, http: (any HTTPFetcher)?
    ) async throws -> String? {
        let chain = credentials(try AzureSettings(environment), environment, http: http)
        let found = try await chain.credentials(refresh: false)
        return "\(found.source) (\(found.identity))" + (found.expiration == nil ? "" : ", temporary")
    }

    static func open(_ location: StorageLocation, _ environment: RoleEnvironment) throws -> any ObjectStore {
        let settings = try AzureSettings(environment)
        return AzureObjectStore(
            location: location, options: AzureOptions(settings, container: location.container),
            credentials: credentials(settings, environment, http: nil),
            transport: HTTPTransport(settings: HTTPTransportSettings(settings.common, environment: environment)))
    }

    private static func credentials(
        _ settings: AzureSettings, _ environment: RoleEnvironment, http: (any HTTPFetcher)?
    ) -> any AzureCredentialProvider {
        let transport = HTTPTransportSettings(settings.common, environment: environment)
        return AzureCredentialChain.make(
            environment: environment, settings: settings, http: http ?? HTTPTransport(settings: transport))
    }
}
