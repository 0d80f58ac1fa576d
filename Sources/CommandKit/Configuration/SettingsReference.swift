extension Settings {
    /// The table of the reference, in Markdown: `docs/configuration.md` has it word for word.
    public static var reference: String {
        let rows = all.map { setting in
            let kind = setting.isSecret ? "\(setting.typeName), secret" : setting.typeName
            let standard = setting.defaultWords ?? setting.defaultText.map { "`\($0)`" } ?? "none"
            return "| `\(setting.key)` | \(setting.meaning) | \(kind) | \(standard) | `\(setting.environmentName)` "
                + "| `--\(setting.optionName)` |\n"
        }
        return "| in the file | meaning | value | default | in the environment | as an option |\n"
            + "| --- | --- | --- | --- | --- | --- |\n" + rows.joined()
    }
}
