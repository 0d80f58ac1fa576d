/// The variables that `ssh` reads.
public enum SSHVariables {
    // MARK: Credentials

    static let username = EnvironmentVariable(
        "SSH_USERNAME", .credential, "Who to log in as, where the location does not say.",
        default: "the user that runs the program")
    static let privateKeyPath = EnvironmentVariable(
        "SSH_PRIVATE_KEY_PATH", .credential, "File with the private key.", unit: "path",
        default: "the agent's keys, else `~/.ssh/id_ed25519`, `id_ecdsa` and `id_rsa`")
    static let passphrase = EnvironmentVariable(
        "SSH_PRIVATE_KEY_PASSPHRASE", .credential, "What the private key is encrypted with.", secret: true)
    static let password = EnvironmentVariable(
        "SSH_PASSWORD", .credential, "The password. With a key as well, the key is tried first.", secret: true)
    static let agentSocket = EnvironmentVariable(
        "SSH_AUTH_SOCK", .credential, "Socket of the agent that holds keys (set by `ssh-agent`).", unit: "path")

    public static let credentials = [username, privateKeyPath, passphrase, password, agentSocket]

    // MARK: Settings

    static let port = EnvironmentVariable(
        "SSH_PORT", .endpoint, "The port, where the location has none.", unit: "port", default: "22")
    static let hostKeyCheck = EnvironmentVariable(
        "SSH_HOST_KEY_CHECK",
        "How the host proves that it is the right one: `strict`: its key is in the file of known hosts; `accept-new`: the "
            + "key of a host not yet in it is added; `fingerprint`: its key has `SSH_HOST_KEY_FINGERPRINT`; `none`: not at all, "
            + "and then passwords and data may go to anybody.",
        unit: "`strict`, `accept-new`, `fingerprint` or `none`",
        default: "`fingerprint` where one is given, else `strict`")
    static let knownHostsPath = EnvironmentVariable(
        "SSH_KNOWN_HOSTS_PATH", "File of known hosts, as OpenSSH writes it.", unit: "path",
        default: "`~/.ssh/known_hosts` and `/etc/ssh/ssh_known_hosts`")
    static let hostKeyFingerprint = EnvironmentVariable(
        "SSH_HOST_KEY_FINGERPRINT", "SHA-256 of the host's key, as `ssh-keygen -l` shows it.",
        unit: "`SHA256:…`, or 64 hexadecimal digits")
    static let maxConnections = EnvironmentVariable(
        "SSH_MAX_CONNECTIONS", "Connections to the host at once. Each does one thing at a time.", unit: "count",
        default: "8")
    static let partSize = EnvironmentVariable(
        "SSH_PART_SIZE", "Size of the parts that a large object is sent in, each by a connection of its own.",
        unit: "bytes, or with KiB, MiB, GiB", default: "8 MiB")
    public static let maxRetries = EnvironmentVariable(
        "SSH_MAX_RETRIES", "How often an operation is repeated after a failure that may pass.", unit: "count",
        default: "10")
    static let connectTimeout = EnvironmentVariable(
        "SSH_CONNECT_TIMEOUT", "Limit for opening a connection and logging in.", unit: "seconds", default: "15")
    static let stallTimeout = EnvironmentVariable(
        "SSH_STALL_TIMEOUT", "A connection that moves no byte for so long is given up, and the operation repeated.",
        unit: "seconds", default: "30")

    public static let settings = [
        port, hostKeyCheck, knownHostsPath, hostKeyFingerprint, maxConnections, partSize, maxRetries, connectTimeout,
        stallTimeout,
    ]

    public static let groups = [
        VariableGroup(title: "ssh: credentials", variables: credentials),
        VariableGroup(title: "ssh: settings", variables: settings),
    ]
}
