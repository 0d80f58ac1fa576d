extension AzureSettings {
    /// What the environment says to one storage.
    ///
    /// - Throws: `SettingsError` with all that is wrong with it.
    public static func inspect(_ environment: RoleEnvironment) throws(SettingsError) -> StorageInspection {
        let settings = try AzureSettings(environment)
        let identity = try AzureIdentity(environment)
        var inspection = StorageInspection(
            environment, scope: identity.credentials, credentials: AzureCredentialVariables.all,
            settings: CommonVariables.group.variables + AzureVariables.settings)
        inspection.note(
            "service", settings.service.text, from: settings.origins[AzureVariables.serviceEndpoint.name])
        if let account = settings.service.account { inspection.note("account", account) }
        if let variable = settings.origins[AzureVariables.cloud.name] {
            inspection.note("cloud", settings.cloud.rawValue, from: variable)
        }
        inspection.note(secretFile: identity.value(AzureCredentialVariables.certificatePath)?.text)
        inspection.note(secretFile: identity.value(AzureCredentialVariables.federatedTokenFile)?.text)
        return inspection
    }
}
