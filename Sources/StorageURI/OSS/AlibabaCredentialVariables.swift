/// The variables from which credentials for `oss` come. All are taken as one set, see `AlibabaCredentialChain`.
enum AlibabaCredentialVariables {
    static let accessKeyID = EnvironmentVariable("OSS_ACCESS_KEY_ID", .credential, "Id of the access key.")
    static let accessKeySecret = EnvironmentVariable(
        "OSS_ACCESS_KEY_SECRET", .credential, "The access key's secret.", secret: true)
    static let sessionToken = EnvironmentVariable(
        "OSS_SESSION_TOKEN", .credential, "Token that temporary keys of STS come with.", secret: true)
    static let roleARN = EnvironmentVariable(
        "OSS_ROLE_ARN", .credential, "Role to assume with the keys found.", unit: "ARN")
    static let roleSessionName = EnvironmentVariable(
        "OSS_ROLE_SESSION_NAME", .credential, "Name of the session, seen in Alibaba Cloud's logs.",
        default: "`ALIBABA_CLOUD_ROLE_SESSION_NAME`, else zenith")

    static let commonKeyID = EnvironmentVariable(
        "ALIBABA_CLOUD_ACCESS_KEY_ID", .credential, "Id of the access key, as Alibaba Cloud's other tools read it.")
    static let commonKeySecret = EnvironmentVariable(
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET", .credential, "That access key's secret.", secret: true)
    static let commonToken = EnvironmentVariable(
        "ALIBABA_CLOUD_SECURITY_TOKEN", .credential, "Token that such keys come with when they are temporary.",
        secret: true)

    static let oidcTokenFile = EnvironmentVariable(
        "ALIBABA_CLOUD_OIDC_TOKEN_FILE", .credential,
        "File with a token of an identity provider, exchanged for keys of `ALIBABA_CLOUD_ROLE_ARN` (as on ACK).",
        unit: "path")
    static let oidcProviderARN = EnvironmentVariable(
        "ALIBABA_CLOUD_OIDC_PROVIDER_ARN", .credential, "The identity provider.", unit: "ARN")
    static let oidcRoleARN = EnvironmentVariable(
        "ALIBABA_CLOUD_ROLE_ARN", .credential, "Role to assume with that token.", unit: "ARN")
    static let oidcSessionName = EnvironmentVariable(
        "ALIBABA_CLOUD_ROLE_SESSION_NAME", .credential, "Name of that session.", default: "zenith")

    static let profile = EnvironmentVariable(
        "ALIBABA_CLOUD_PROFILE", .credential, "Profile in the two files.",
        default: "the `current` one of the first file; `default` in the second")
    static let cliProfileDisabled = EnvironmentVariable(
        "ALIBABA_CLOUD_CLI_PROFILE_DISABLED", .credential, "Do not read `~/.aliyun/config.json`.",
        unit: "true or false", default: "false")
    static let credentialsFile = EnvironmentVariable(
        "ALIBABA_CLOUD_CREDENTIALS_FILE", .credential, "File with keys by profile.", unit: "path",
        default: "`~/.alibabacloud/credentials.ini`")

    static let instanceRole = EnvironmentVariable(
        "ALIBABA_CLOUD_ECS_METADATA", .credential, "Name of the ECS instance's role.",
        default: "the instance metadata service is asked")
    static let metadataDisabled = EnvironmentVariable(
        "ALIBABA_CLOUD_ECS_METADATA_DISABLED", .credential, "Do not ask the instance metadata service.",
        unit: "true or false", default: "false")
    static let metadataV1Disabled = EnvironmentVariable(
        "ALIBABA_CLOUD_IMDSV1_DISABLED", .credential,
        "Do not ask the instance metadata service without a session's token.", unit: "true or false",
        default: "false")
    static let credentialsURI = EnvironmentVariable(
        "ALIBABA_CLOUD_CREDENTIALS_URI", .credential, "URL that answers with keys; http only on this host.",
        unit: "URL")

    static let stsRegion = EnvironmentVariable(
        "ALIBABA_CLOUD_STS_REGION", .credential, "Region of STS, which roles are assumed at.", unit: "region name",
        default: "the bucket's region")
    static let stsInVPC = EnvironmentVariable(
        "ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED", .credential, "Ask STS at its address inside a VPC.",
        unit: "true or false", default: "false")

    static let all = [
        accessKeyID, accessKeySecret, sessionToken, roleARN, roleSessionName, commonKeyID, commonKeySecret,
        commonToken, oidcTokenFile, oidcProviderARN, oidcRoleARN, oidcSessionName, profile, cliProfileDisabled,
        credentialsFile, instanceRole, metadataDisabled, metadataV1Disabled, credentialsURI, stsRegion, stsInVPC,
    ]
}
