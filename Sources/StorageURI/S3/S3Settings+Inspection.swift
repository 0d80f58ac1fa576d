extension S3Settings {
    /// What the environment says to the storage of one bucket.
    ///
    /// - Throws: `SettingsError` with all that is wrong with it.
    public static func inspect(
        bucket: String, environment: RoleEnvironment
    ) throws(SettingsError) -> StorageInspection {
        let settings = try S3Settings(bucket: bucket, environment: environment)
        let identity = try AWSIdentity(environment)
        var inspection = StorageInspection(
            environment, scope: identity.credentials, credentials: AWSCredentialVariables.all,
            settings: CommonVariables.group.variables + S3Variables.settings + S3Variables.withoutEffect)
        let service: String =
            switch settings.service {
            case .amazon: "Amazon S3"
            case .other(let scheme, let authority, let path): "\(scheme)://\(authority)\(path)"
            }
        inspection.note("service", service, from: settings.origins[S3Variables.endpoint.name])
        if let source = settings.nodeSource {
            inspection.note(
                "hosts", "as \(source.url) says, port \(source.port)",
                from: settings.origins[S3Variables.endpointSource.name])
        }
        if let region = settings.region {
            inspection.note("region", region, from: settings.origins[S3Variables.region.name])
        }
        if let retention = settings.retention {
            inspection.note(
                "object lock", "\(retention.mode), \(retention.seconds) s",
                from: settings.origins[S3Variables.retentionPeriod.name])
        }
        inspection.note(secretFile: identity.profilePlace?.credentialsFile)
        return inspection
    }
}
