public import ArgumentParser
public import CommandKit

/// Which archive it is, and how it is written.
public struct ArchiveOptions: SettingSource {
    @Option(name: .customLong(Settings.timeline.optionName), help: Settings.timeline.argumentHelp)
    public var timeline: String?

    @OptionGroup public var wal: WALOptions

    public init() {}
    public var settings: [(key: String, text: String?)] {
        [(Settings.timeline.key, timeline)] + wal.settings
    }
}
