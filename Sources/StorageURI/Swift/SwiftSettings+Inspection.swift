extension SwiftSettings {
    /// What the environment says to a storage.
    ///
    /// - Throws: `SettingsError` with all that is wrong with it.
    public static func inspect(environment: RoleEnvironment) throws(SettingsError) -> StorageInspection {
        let identity = try SwiftIdentity(environment)
        let settings = try SwiftSettings(identity)
        var inspection = StorageInspection(
            environment, scope: identity.credentials, credentials: SwiftCredentialVariables.all,
            settings: CommonVariables.group.variables + SwiftVariables.settings)
        if let url = settings.storageURL {
            inspection.note("service", url, from: settings.origins[SwiftVariables.storageURL.name])
        }
        if let url = settings.identityURL {
            let name = settings.storageURL == nil ? "service" : "identity"
            inspection.note(name, url, from: settings.origins[SwiftVariables.authURL.name])
        }
        if settings.storageURL == nil {
            if let region = settings.region {
                inspection.note("region", region, from: settings.origins[SwiftVariables.region.name])
            }
            if settings.interface != .public {
                inspection.note(
                    "interface", settings.interface.rawValue, from: settings.origins[SwiftVariables.interface.name])
            }
        }
        if let cloud = identity.cloud {
            inspection.note("cloud", cloud.name, from: cloud.path)
            inspection.note(secretFile: cloud.path)
            inspection.note(secretFile: cloud.securePath)
        }
        return inspection
    }
}
