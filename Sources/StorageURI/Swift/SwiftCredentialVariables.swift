/// The variables from which credentials for `swift` come. All are taken as one set, see `SwiftIdentity`.
enum SwiftCredentialVariables {
    static let cloud = EnvironmentVariable(
        "OS_CLOUD", .credential, "Entry of `clouds.yaml` that holds the credentials; it goes before all below.")
    static let cloudsFile = EnvironmentVariable(
        "OS_CLIENT_CONFIG_FILE", .credential, "File of clouds.", unit: "path",
        default: "`clouds.yaml` in `.`, `~/.config/openstack` or `/etc/openstack`")
    static let secureFile = EnvironmentVariable(
        "OS_CLIENT_SECURE_FILE", .credential, "File of what is secret in the clouds, laid over the other.",
        unit: "path", default: "`secure.yaml` in the same places")

    static let userName = EnvironmentVariable("OS_USERNAME", .credential, "User, by name.")
    static let userID = EnvironmentVariable("OS_USER_ID", .credential, "User, by id.")
    static let password = EnvironmentVariable("OS_PASSWORD", .credential, "The user's password.", secret: true)
    static let userDomainName = domain("OS_USER_DOMAIN_NAME", "Domain of the user, by name.")
    static let userDomainID = domain("OS_USER_DOMAIN_ID", "Domain of the user, by id.")

    static let projectName = EnvironmentVariable(
        "OS_TENANT_NAME", aliases: ["OS_PROJECT_NAME"], .credential, "The project, by name.")
    static let projectID = EnvironmentVariable(
        "OS_TENANT_ID", aliases: ["OS_PROJECT_ID"], .credential, "The project, by id.")
    static let projectDomainName = domain(
        "OS_PROJECT_DOMAIN_NAME", "Domain of the project, by name.", default: "the user's")
    static let projectDomainID = domain("OS_PROJECT_DOMAIN_ID", "Domain of the project, by id.", default: "the user's")
    static let defaultDomainName = domain("OS_DEFAULT_DOMAIN_NAME", "Domain where none is named, by name.")
    static let defaultDomainID = EnvironmentVariable(
        "OS_DEFAULT_DOMAIN_ID", aliases: ["OS_DEFAULT_DOMAIN"], .credential, "Domain where none is named, by id.",
        default: "`default`")
    static let trustID = EnvironmentVariable("OS_TRUST_ID", .credential, "Trust to act under, in place of a project.")

    static let applicationCredentialID = EnvironmentVariable(
        "OS_APPLICATION_CREDENTIAL_ID", .credential, "Application credential, by id.")
    static let applicationCredentialName = EnvironmentVariable(
        "OS_APPLICATION_CREDENTIAL_NAME", .credential, "Application credential, by name; its user is named beside it.")
    static let applicationCredentialSecret = EnvironmentVariable(
        "OS_APPLICATION_CREDENTIAL_SECRET", .credential, "Secret of the application credential.", secret: true)

    static let token = EnvironmentVariable(
        "OS_AUTH_TOKEN", aliases: ["OS_TOKEN"], .credential,
        "A token. With `OS_STORAGE_URL` it is used as it is, else exchanged at the identity service.", secret: true)

    static let legacyUser = EnvironmentVariable("ST_USER", .credential, "User, for version 1.")
    static let legacyKey = EnvironmentVariable("ST_KEY", .credential, "Key, for version 1.", secret: true)

    static let kind = EnvironmentVariable(
        "OS_AUTH_TYPE", .credential, "Kind of credentials to use.",
        unit: "`password`, `token` or `applicationcredential`, each also with `v1`, `v2` or `v3` before it",
        default: "by what is set")

    static let all = [
        cloud, cloudsFile, secureFile, userName, userID, password, userDomainName, userDomainID, projectName, projectID,
        projectDomainName, projectDomainID, defaultDomainName, defaultDomainID, trustID, applicationCredentialID,
        applicationCredentialName, applicationCredentialSecret, token, legacyUser, legacyKey, kind,
    ]

    private static func domain(
        _ name: String, _ meaning: String, default defaultText: String = "`OS_DEFAULT_DOMAIN_ID`"
    ) -> EnvironmentVariable {
        EnvironmentVariable(name, .credential, meaning, default: defaultText)
    }
}
