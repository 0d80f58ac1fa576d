// swift-tools-version: 6.1
import PackageDescription

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableExperimentalFeature("Lifetimes"),
]

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
    .product(name: "NIOSSL", package: "swift-nio-ssl"),
]
let systemPackage = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let hummingbird: [Target.Dependency] = [
    .product(name: "HummingbirdCore", package: "hummingbird"),
    .product(name: "HTTPTypes", package: "swift-http-types"),
    .product(name: "NIOExtras", package: "swift-nio-extras"),
]
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

/// A library of `Sources/`, with every strict setting on.
func library(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

/// The same, where every page or record passes through: optimized in debug builds as well, which tests spend their time in.
func hotLibrary(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    let optimized = SwiftSetting.unsafeFlags(["-O"], .when(configuration: .debug))
    return .target(name: name, dependencies: dependencies, swiftSettings: strict + [optimized])
}

/// One of the executables. The two daemons lie at the top level.
func executable(_ name: String, _ dependencies: [Target.Dependency], path: String? = nil) -> Target {
    .executableTarget(name: name, dependencies: dependencies, path: path, swiftSettings: strict)
}

/// Golden files are read where they lie.
func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(
        name: name + "Tests", dependencies: ["TestSupport"] + dependencies, exclude: exclude, swiftSettings: strict)
}

let package = Package(
    name: "zenith",
    products: [
        .executable(name: "zenith", targets: ["zenith"]),
        .executable(name: "pageserver", targets: ["pageserver"]),
        .executable(name: "safekeeper", targets: ["safekeeper"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // System libraries and C.
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CLibpq", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CSSH2", pkgConfig: "libssh2", providers: [.apt(["libssh2-1-dev"])]),
        .systemLibrary(name: "CLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .target(name: "CChecksum", cSettings: [.unsafeFlags(["-O3"])]),
        .target(name: "CFileSystem"),
        .target(name: "CProcess"),

        // Storage.
        library("Digests", ["COpenSSL"]),
        library("StorageURI", ["Digests", yams]),
        library(
            "ObjectStorage",
            [
                "StorageURI", "Digests", "CCurl", "CSSH2", "CChecksum", "CFileSystem", "CProcess", systemPackage,
            ]),

        // PostgreSQL's formats: bytes in, values out.
        hotLibrary("PostgresFormat", ["CChecksum"]),
        hotLibrary("WALRedo", ["PostgresFormat", "CChecksum", "CZstd", "CLZ4"]),
        library("WALInspection", ["PostgresFormat"]),

        // What Zenith does.
        hotLibrary("WALReplay", ["WALRedo", "WALInspection", "PostgresFormat", systemPackage]),
        library(
            "Snapshots",
            ["ObjectStorage", "StorageURI", "PostgresFormat", "Digests", "CChecksum", "CZstd", systemPackage]),
        library("WALStore", ["PostgresFormat", "CFileSystem", systemPackage]),
        library("ReplicationClient", ["CLibpq", "PostgresFormat"]),
        library("PageStore", ["Snapshots", "StorageURI", "ObjectStorage", "PostgresFormat", logging, systemPackage]),
        library(
            "Interchange",
            ["Snapshots", "StorageURI", "ObjectStorage", "PostgresFormat", "CFileSystem", systemPackage]),
        library(
            "WALArchive",
            [
                "ObjectStorage", "StorageURI", "PostgresFormat", "Digests", "CZstd", "CLZ4", systemPackage,
            ]),

        library("WALIndexes", ["WALArchive", "WALRedo", "ObjectStorage", "PostgresFormat"]),

        library("Listening", nio),
        library(
            "ReplicationServer", ["Listening", "PostgresFormat", "Digests", "COpenSSL", "StorageURI", logging] + nio),

        library(
            "Safekeeper",
            [
                "ReplicationClient", "ReplicationServer", "WALIndexes", "WALRedo", "WALArchive", "WALStore",
                "ObjectStorage", "PostgresFormat", logging, systemPackage,
            ]),

        library("StatusServer", ["Listening", logging] + hummingbird + nio),

        // The executables.
        library(
            "CommandKit",
            [
                "Snapshots", "WALArchive", "StorageURI", "ObjectStorage", "StatusServer", "Listening", "CProcess",
                argumentParser, logging, systemPackage,
            ]),
        library(
            "PageserverCommands",
            [
                "CommandKit", "StatusServer", "PageStore", "Interchange", "Snapshots", "ObjectStorage", "StorageURI",
                "PostgresFormat",
                argumentParser, logging, systemPackage,
            ]),
        library(
            "SafekeeperCommands",
            [
                "CommandKit", "Listening", "StatusServer", "Safekeeper", "ReplicationClient", "ReplicationServer",
                "WALStore", "WALIndexes", "WALArchive", "Snapshots", "ObjectStorage", "StorageURI", "PostgresFormat",
                "Digests", argumentParser, logging, systemPackage,
            ]),
        library(
            "WALCommands",
            [
                "CommandKit", "WALInspection", "WALReplay", "WALIndexes", "WALRedo", "WALArchive", "Interchange",
                "Snapshots", "ObjectStorage", "StorageURI", "PostgresFormat", argumentParser, systemPackage,
            ]),
        executable(
            "zenith",
            ["PageserverCommands", "SafekeeperCommands", "WALCommands", "CommandKit", "StorageURI", argumentParser]),
        // Measures redo: see `make bench-redo`.
        executable("redo-benchmark", ["WALRedo", "WALReplay", "PostgresFormat", systemPackage]),
        executable("pageserver", ["PageserverCommands", "CommandKit", argumentParser], path: "pageserver"),
        executable("safekeeper", ["SafekeeperCommands", "CommandKit", argumentParser], path: "safekeeper"),

        // Tests.
        .target(name: "CTestThreads", path: "Tests/CTestThreads"),
        .target(
            name: "TestSupport", dependencies: ["CTestThreads", systemPackage], path: "Tests/TestSupport",
            swiftSettings: strict),
        tests("Digests", ["Digests"], exclude: ["Golden"]),
        tests("StorageURI", ["StorageURI", "Digests"], exclude: ["Golden"]),
        tests("ObjectStorage", ["ObjectStorage", "StorageURI", "Digests"]),
        tests("PostgresFormat", ["PostgresFormat", "CChecksum"]),
        tests("WALRedo", ["WALReplay", "WALRedo", "PostgresFormat", systemPackage]),
        tests("WALInspection", ["WALInspection", "PostgresFormat"]),
        tests("Snapshots", ["Snapshots", "ObjectStorage", "PostgresFormat"]),
        tests("WALStore", ["WALStore", "PostgresFormat", systemPackage]),
        tests("ReplicationClient", ["ReplicationClient"]),
        tests("WALArchive", ["WALArchive", "ObjectStorage", "PostgresFormat"]),
        tests("WALIndexes", ["WALIndexes", "WALArchive", "WALRedo", "ObjectStorage", "PostgresFormat", "CChecksum"]),
        tests("Interchange", ["Interchange", "Snapshots", "ObjectStorage", "PostgresFormat"]),
        tests("ReplicationServer", ["ReplicationServer", "PostgresFormat", "Digests", "StorageURI", logging] + nio),
        tests("Safekeeper", ["Safekeeper", "ReplicationServer", "PostgresFormat"]),
        tests("StatusServer", ["StatusServer", "Listening", logging] + nio),
        tests("CommandKit", ["CommandKit", "StorageURI", "ObjectStorage", argumentParser, logging, systemPackage]),
        tests("EndToEnd", [], exclude: ["reader.py"]),
    ],
    swiftLanguageModes: [.v6]
)

// `make fuzz`: a program of libFuzzer's. All modules are built to tell it where they have been, hence only when asked for.
if Context.environment["ZENITH_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "fuzz", dependencies: ["WALRedo", "PostgresFormat", "CChecksum", "TestSupport"], path: "Tests/Fuzz",
            swiftSettings: strict))
}
