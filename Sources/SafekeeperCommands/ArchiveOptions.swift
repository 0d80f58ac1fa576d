public import ArgumentParser
public import CommandKit

/// Which archive it is, and how it is written.
public struct ArchiveOptions: SettingSource {
    @Option(name: .customLong(Settings.timeline.optionName), help: Settings.timeline.argumentHelp)
    public var timeline: String?

    @Option(name: .customLong(Settings.walCompression.optionName), help: Settings.walCompression.argumentHelp)
    public var walCompression: String?

    public init() {}
    public var settings: [(key: String, text: String?)] {
        [(Settings.timeline.key, timeline), (Settings.walCompression.key, walCompression)]
    }
}
