/// The variables from which credentials for `azure` come. All are taken as one set, see `AzureCredentialChain`.
enum AzureCredentialVariables {
    // What is given for the storage account itself.
    static let connectionString = EnvironmentVariable(
        "AZURE_STORAGE_CONNECTION_STRING", .credential,
        "Account, key or signature, and service, as the portal shows them; goes before the variables for each.",
        unit: "`Name=value` pairs with `;` between them", secret: true)
    static let accessKey = EnvironmentVariable(
        "AZURE_STORAGE_ACCESS_KEY", aliases: ["AZURE_STORAGE_KEY"], .credential, "The account's key.",
        unit: "Base64", secret: true)
    static let sasToken = EnvironmentVariable(
        "AZURE_STORAGE_SAS_TOKEN", .credential,
        "A shared access signature of account or container, with or without its `?`.", secret: true)

    // Identities of Entra.
    static let tenantID = EnvironmentVariable(
        "AZURE_TENANT_ID", .credential, "Tenant of an application or workload identity.")
    static let clientID = EnvironmentVariable(
        "AZURE_CLIENT_ID", .credential,
        "Id of an application, of a workload identity, or of one of several managed "
            + "identities.")
    static let clientSecret = EnvironmentVariable(
        "AZURE_CLIENT_SECRET", .credential, "Secret of the application.", secret: true)
    static let certificatePath = EnvironmentVariable(
        "AZURE_CLIENT_CERTIFICATE_PATH", .credential,
        "File with the application's certificate and its RSA key; read at each use.", unit: "path of a PEM file")
    static let certificatePassword = EnvironmentVariable(
        "AZURE_CLIENT_CERTIFICATE_PASSWORD", .credential, "Passphrase of that key.", secret: true)
    static let sendsCertificateChain = EnvironmentVariable(
        "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN", .credential,
        "Send the file's certificates along, for applications that are known by their certificate's name and issuer.",
        unit: "true or false", default: "false")
    static let federatedTokenFile = EnvironmentVariable(
        "AZURE_FEDERATED_TOKEN_FILE", .credential,
        "File with the token of a workload identity (set by AKS); read at each use.", unit: "path")
    static let authorityHost = EnvironmentVariable(
        "AZURE_AUTHORITY_HOST", .endpoint, "Where applications and workload identities get their tokens.",
        unit: "URL", default: "the cloud's")

    // Managed identities.
    static let identityEndpoint = EnvironmentVariable(
        "IDENTITY_ENDPOINT", .credential, "Where managed identities get their tokens (set by App Service and others).",
        unit: "URL", default: "the instance's metadata service")
    static let identityHeader = EnvironmentVariable(
        "IDENTITY_HEADER", .credential, "What to show there.", secret: true)
    static let metadataHost = EnvironmentVariable(
        "AZURE_POD_IDENTITY_AUTHORITY_HOST", .credential, "Address of the instance's metadata service.", unit: "URL",
        default: "`http://169.254.169.254`")

    static let tokenCredentials = EnvironmentVariable(
        "AZURE_TOKEN_CREDENTIALS", .credential,
        "The one of these identities to use, where others are to be passed over.",
        unit: "`prod`, `EnvironmentCredential`, `WorkloadIdentityCredential` or `ManagedIdentityCredential`",
        default: "prod: each in turn")

    static let all = [
        connectionString, accessKey, sasToken, tenantID, clientID, clientSecret, certificatePath, certificatePassword,
        sendsCertificateChain, federatedTokenFile, authorityHost, identityEndpoint, identityHeader, metadataHost,
        tokenCredentials,
    ]
}
