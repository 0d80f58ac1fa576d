public import CommandKit
public import StorageURI

/// What `pageserver config` is about.
public enum PageserverPart: ConfiguredProgram {
    public typealias Server = ServerOptions
    public static let storageRoles = [StorageRole.storage]
    public static let callsPostgres = true
}
