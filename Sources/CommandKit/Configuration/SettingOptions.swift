public import ArgumentParser

/// A group of options that set settings.
public protocol SettingSource: ParsableArguments {
    /// The text given for each setting's key; nil where the option is absent.
    var settings: [(key: String, text: String?)] { get }
}

extension CommonOptions: SettingSource {
    public var settings: [(key: String, text: String?)] { [(Settings.logLevel.key, logLevel)] }
}

/// `--storage-dest`.
public struct StorageOptions: SettingSource {
    @Option(name: .customLong(Settings.storageDest.optionName), help: Settings.storageDest.argumentHelp)
    public var storageDest: String?

    public init() {}
    public var settings: [(key: String, text: String?)] { [(Settings.storageDest.key, storageDest)] }
}

/// Where PostgreSQL's programs are, and as whom they run.
public struct PostgresOptions: SettingSource {
    @Option(name: .customLong(Settings.pgBin.optionName), help: Settings.pgBin.argumentHelp)
    public var pgBin: String?

    @Option(name: .customLong(Settings.pgUser.optionName), help: Settings.pgUser.argumentHelp)
    public var pgUser: String?

    public init() {}
    public var settings: [(key: String, text: String?)] {
        [(Settings.pgBin.key, pgBin), (Settings.pgUser.key, pgUser)]
    }
}

/// How many work at once, and how hard they compress.
public struct EffortOptions: SettingSource {
    @Option(name: .customLong(Settings.workers.optionName), help: Settings.workers.argumentHelp)
    public var workers: String?

    @Option(
        name: .customLong(Settings.compressionLevel.optionName), parsing: .unconditional,
        help: Settings.compressionLevel.argumentHelp)
    public var compressionLevel: String?

    public init() {}
    public var settings: [(key: String, text: String?)] {
        [(Settings.workers.key, workers), (Settings.compressionLevel.key, compressionLevel)]
    }
}

/// How WAL is written to storage.
public struct WALOptions: SettingSource {
    @Option(name: .customLong(Settings.walCompression.optionName), help: Settings.walCompression.argumentHelp)
    public var walCompression: String?

    public init() {}
    public var settings: [(key: String, text: String?)] { [(Settings.walCompression.key, walCompression)] }
}

/// Where WAL comes from.
public struct WALSourceOptions: SettingSource {
    @Option(name: .customLong(Settings.walSource.optionName), help: Settings.walSource.argumentHelp)
    public var walSource: String?

    public init() {}
    public var settings: [(key: String, text: String?)] { [(Settings.walSource.key, walSource)] }
}

/// How a safekeeper is called, and how long WAL is on its disk alone.
public struct ReceiverOptions: SettingSource {
    @Option(name: .customLong(Settings.name.optionName), help: Settings.name.argumentHelp)
    public var name: String?

    @Option(name: .customLong(Settings.slot.optionName), help: Settings.slot.argumentHelp)
    public var slot: String?

    @Option(name: .customLong(Settings.offloadInterval.optionName), help: Settings.offloadInterval.argumentHelp)
    public var offloadInterval: String?

    @Option(name: .customLong(Settings.localWALSize.optionName), help: Settings.localWALSize.argumentHelp)
    public var localWALSize: String?

    public init() {}
    public var settings: [(key: String, text: String?)] {
        [
            (Settings.name.key, name), (Settings.slot.key, slot),
            (Settings.offloadInterval.key, offloadInterval), (Settings.localWALSize.key, localWALSize),
        ]
    }
}

/// Which timeline it is, and when WAL makes a snapshot.
public struct IngestOptions: SettingSource {
    @Option(name: .customLong(Settings.timeline.optionName), help: Settings.timeline.argumentHelp)
    public var timeline: String?

    @Option(name: .customLong(Settings.snapshotInterval.optionName), help: Settings.snapshotInterval.argumentHelp)
    public var snapshotInterval: String?

    @Option(name: .customLong(Settings.snapshotWAL.optionName), help: Settings.snapshotWAL.argumentHelp)
    public var snapshotWAL: String?

    public init() {}
    public var settings: [(key: String, text: String?)] {
        [
            (Settings.timeline.key, timeline), (Settings.snapshotInterval.key, snapshotInterval),
            (Settings.snapshotWAL.key, snapshotWAL),
        ]
    }
}

/// Who may take WAL from a daemon, and by which certificate; what it logs to and caches.
public struct DaemonOptions: SettingSource {
    @Option(name: .customLong(Settings.authFile.optionName), help: Settings.authFile.argumentHelp)
    public var authFile: String?

    @Option(name: .customLong(Settings.sslCertFile.optionName), help: Settings.sslCertFile.argumentHelp)
    public var sslCertFile: String?

    @Option(name: .customLong(Settings.sslKeyFile.optionName), help: Settings.sslKeyFile.argumentHelp)
    public var sslKeyFile: String?

    @Option(name: .customLong(Settings.cacheSize.optionName), help: Settings.cacheSize.argumentHelp)
    public var cacheSize: String?

    @Option(name: .customLong(Settings.logFile.optionName), help: Settings.logFile.argumentHelp)
    public var logFile: String?

    public init() {}
    public var settings: [(key: String, text: String?)] {
        [
            (Settings.authFile.key, authFile), (Settings.sslCertFile.key, sslCertFile),
            (Settings.sslKeyFile.key, sslKeyFile), (Settings.cacheSize.key, cacheSize),
            (Settings.logFile.key, logFile),
        ]
    }
}

/// What the daemons listen on, and what else they need while they run.
public struct ServerOptions: SettingSource {
    @Option(name: .customLong(Settings.listenHTTP.optionName), help: Settings.listenHTTP.argumentHelp)
    public var listenHTTP: String?

    @Option(name: .customLong(Settings.listenPG.optionName), help: Settings.listenPG.argumentHelp)
    public var listenPG: String?

    @Option(
        name: .customLong(Settings.safekeeperListenHTTP.optionName), help: Settings.safekeeperListenHTTP.argumentHelp)
    public var safekeeperListenHTTP: String?

    @Option(name: .customLong(Settings.safekeeperListenPG.optionName), help: Settings.safekeeperListenPG.argumentHelp)
    public var safekeeperListenPG: String?

    @OptionGroup public var daemon: DaemonOptions

    public init() {}
    public var settings: [(key: String, text: String?)] {
        [
            (Settings.listenHTTP.key, listenHTTP), (Settings.listenPG.key, listenPG),
            (Settings.safekeeperListenHTTP.key, safekeeperListenHTTP),
            (Settings.safekeeperListenPG.key, safekeeperListenPG),
        ] + daemon.settings
    }
}

/// The same for the program `safekeeper`, where `--listen-http` and `--listen-pg` are its own addresses.
public struct SafekeeperServerOptions: SettingSource {
    @Option(
        name: [.customLong("listen-http"), .customLong(Settings.safekeeperListenHTTP.optionName)],
        help: Settings.safekeeperListenHTTP.argumentHelp)
    public var listenHTTP: String?

    @Option(
        name: [.customLong("listen-pg"), .customLong(Settings.safekeeperListenPG.optionName)],
        help: Settings.safekeeperListenPG.argumentHelp)
    public var listenPG: String?

    @OptionGroup public var daemon: DaemonOptions

    public init() {}
    public var settings: [(key: String, text: String?)] {
        [
            (Settings.safekeeperListenHTTP.key, listenHTTP), (Settings.safekeeperListenPG.key, listenPG),
        ] + daemon.settings
    }
}
