/// The variables that all storages reached over a network read.
public enum CommonVariables {
    public static let uploadConcurrency = EnvironmentVariable(
        "UPLOAD_CONCURRENCY", "Parts of one object sent at once. Memory is this times the part size.", unit: "count",
        default: "4")
    static let certificateAuthorityFile = EnvironmentVariable(
        "SSL_CERT_FILE",
        "Certificate authorities to trust in place of the system's, where the storage has no variable of its own for them.",
        unit: "path of a PEM file", default: "the system's")

    static let group = VariableGroup(
        title: "All storages but files", variables: [uploadConcurrency, certificateAuthorityFile])
}

/// What they come to.
public struct CommonSettings: Sendable {
    public var uploadConcurrency = 4
    /// A PEM file of certificate authorities, in place of the system's.
    public var certificateAuthorityFile: String?

    init() {}

    /// - Parameter ownAuthorities: The storage's own variable for a file of authorities, if it has one.
    mutating func read(_ reader: inout SettingsReader, ownAuthorities: EnvironmentVariable? = nil) {
        uploadConcurrency = reader.integer(
            CommonVariables.uploadConcurrency, in: 1...256, default: uploadConcurrency)
        certificateAuthorityFile =
            ownAuthorities.flatMap { reader.file($0) } ?? reader.file(CommonVariables.certificateAuthorityFile)
    }
}
