/// A variable of the environment that counts for one storage.
public struct VariableInUse: Sendable, Hashable {
    /// The very name, with its prefix if it has one.
    public let name: String
    /// The value; nil when it is a secret.
    public let text: String?
}

extension StorageLocation {
    /// The variables that are set and count for this storage as one role sees it, in the order of the reference.
    ///
    /// Credentials are those of the role's own set or those it inherits, never a mixture.
    public func variablesInUse(_ environment: RoleEnvironment) throws(SettingsError) -> [VariableInUse] {
        guard scheme == .s3 else { return [] }
        let identity = try AWSIdentity(environment)
        let choice = environment.role.map { environment.variables[$0.credentialsVariable] ?? "" } ?? ""
        var found: [VariableInUse] = []
        if let role = environment.role, !choice.isEmpty {
            found.append(VariableInUse(name: role.credentialsVariable, text: choice))
        }
        for declaration in AWSCredentialVariables.all {
            if let value = identity.value(declaration) { found.append(Self.inUse(value, declaration)) }
        }
        for declaration in S3Variables.settings {
            if let value = environment.value(declaration) { found.append(Self.inUse(value, declaration)) }
        }
        return found
    }

    /// Files with secrets that this storage's credentials may be read from. They need not exist.
    public func secretFiles(_ environment: RoleEnvironment) throws(SettingsError) -> [String] {
        guard scheme == .s3 else { return [] }
        return [try AWSIdentity(environment).profilePlace?.credentialsFile].compactMap { $0 }
    }

    private static func inUse(_ value: RoleEnvironment.Value, _ declaration: EnvironmentVariable) -> VariableInUse {
        VariableInUse(name: value.variable, text: declaration.isSecret ? nil : value.text)
    }
}
