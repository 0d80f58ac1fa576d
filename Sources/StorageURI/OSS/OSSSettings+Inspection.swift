extension OSSSettings {
    /// What the environment says to the storage of one bucket.
    ///
    /// - Throws: `SettingsError` with all that is wrong with it.
    public static func inspect(
        bucket: String, environment: RoleEnvironment
    ) throws(SettingsError) -> StorageInspection {
        let settings = try OSSSettings(bucket: bucket, environment: environment)
        let identity = try AlibabaIdentity(environment)
        var inspection = StorageInspection(
            environment, scope: identity.credentials, credentials: AlibabaCredentialVariables.all,
            settings: CommonVariables.group.variables + OSSVariables.settings + OSSVariables.withoutEffect)
        let endpoint = settings.endpoint
        inspection.note(
            "service", "\(endpoint.scheme)://\(endpoint.authority)", from: settings.origins[OSSVariables.endpoint.name])
        if let region = settings.region {
            let origin = settings.origins[OSSVariables.region.name] ?? settings.origins[OSSVariables.endpoint.name]
            inspection.note("region", region, from: origin)
        }
        let version = OSSVariables.signatureVersion.name
        if settings.usesV1, settings.origins[version] == nil {
            inspection.note("signature", "version 1, as the region is not known")
        } else if settings.usesV1 {
            inspection.note("signature", "version 1", from: settings.origins[version])
        }
        for file in [identity.commandLineFile, identity.libraryFile] { inspection.note(secretFile: file) }
        return inspection
    }
}
