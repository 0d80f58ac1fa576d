/// The variables from which credentials for `s3` come. All are taken as one set, see `AWSCredentialChain`.
enum AWSCredentialVariables {
    static let accessKeyID = EnvironmentVariable(
        "AWS_ACCESS_KEY_ID", aliases: ["AWS_ACCESS_KEY"], .credential, "Id of the access key.")
    static let secretAccessKey = EnvironmentVariable(
        "AWS_SECRET_ACCESS_KEY", aliases: ["AWS_SECRET_KEY"], .credential, "The access key's secret.", secret: true)
    static let sessionToken = EnvironmentVariable(
        "AWS_SESSION_TOKEN", .credential, "Token that temporary keys come with.", secret: true)

    static let webIdentityTokenFile = EnvironmentVariable(
        "AWS_WEB_IDENTITY_TOKEN_FILE", .credential,
        "File with a token of an identity provider, exchanged for keys of `AWS_ROLE_ARN` (as on EKS).", unit: "path")
    static let roleARN = EnvironmentVariable(
        "AWS_ROLE_ARN", .credential, "Role to assume, with the web identity token or else with the other keys found.",
        unit: "ARN")
    static let roleSessionName = EnvironmentVariable(
        "AWS_ROLE_SESSION_NAME", .credential, "Name of the session, seen in Amazon's logs.", default: "zenith")

    static let profile = EnvironmentVariable(
        "AWS_PROFILE", aliases: ["AWS_DEFAULT_PROFILE"], .credential, "Profile in the two files.", default: "default")
    static let credentialsFile = EnvironmentVariable(
        "AWS_SHARED_CREDENTIALS_FILE", .credential, "File with keys by profile.", unit: "path",
        default: "`~/.aws/credentials`")
    static let configFile = EnvironmentVariable(
        "AWS_CONFIG_FILE", .credential, "File with settings by profile.", unit: "path", default: "`~/.aws/config`")

    static let containerRelativeURI = EnvironmentVariable(
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", .credential,
        "Path at the container service's address (set by ECS).", unit: "path")
    static let containerFullURI = EnvironmentVariable(
        "AWS_CONTAINER_CREDENTIALS_FULL_URI", .credential,
        "URL that answers with keys (set by EKS Pod Identity and others); http only on this host and at ECS and EKS.",
        unit: "URL")
    static let containerToken = EnvironmentVariable(
        "AWS_CONTAINER_AUTHORIZATION_TOKEN", .credential, "Authorization to send to that URL.", secret: true)
    static let containerTokenFile = EnvironmentVariable(
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", .credential,
        "File with that authorization, read at each use; goes before the variable.", unit: "path")

    static let metadataDisabled = EnvironmentVariable(
        "AWS_EC2_METADATA_DISABLED", .credential, "Do not ask the instance metadata service.", unit: "true or false",
        default: "false")
    static let metadataEndpoint = EnvironmentVariable(
        "AWS_EC2_METADATA_SERVICE_ENDPOINT", .credential, "Address of the instance metadata service.", unit: "URL",
        default: "`http://169.254.169.254`")
    static let metadataEndpointMode = EnvironmentVariable(
        "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", .credential, "`IPv6` for the service's IPv6 address.",
        unit: "`IPv4` or `IPv6`", default: "IPv4")
    static let metadataV1Disabled = EnvironmentVariable(
        "AWS_EC2_METADATA_V1_DISABLED", .setting, "Use version 2 of the metadata service only.",
        support: .withoutEffect("version 1 is never used"))

    static let stsEndpoint = EnvironmentVariable(
        "AWS_ENDPOINT_URL_STS", .endpoint, "The STS service, which role and web identity go to.", unit: "URL",
        default: "`AWS_ENDPOINT_URL`, else Amazon's in the region")

    static let all = [
        accessKeyID, secretAccessKey, sessionToken, webIdentityTokenFile, roleARN, roleSessionName, profile,
        credentialsFile, configFile, containerRelativeURI, containerFullURI, containerToken, containerTokenFile,
        metadataDisabled, metadataEndpoint, metadataEndpointMode, metadataV1Disabled, stsEndpoint,
    ]
}
