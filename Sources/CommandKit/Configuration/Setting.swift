public import ArgumentParser

/// One setting, declared once: the parser of the file, `config check`, `config show`, the options of the commands
/// and the page of the documentation all come from this.
public struct Setting<Value: SettingValue>: SettingDeclaration {
    public let key: String
    public let meaning: String
    public let defaultValue: Value?
    public let defaultWords: String?
    public let example: String?
    public let isSecret: Bool
    /// The values allowed, where the type alone says too little.
    private let check: @Sendable (Value) -> String?

    /// - Parameters:
    ///   - key: The name in the file, with underscores. The names of the environment variable and of the option
    ///     follow from it.
    ///   - defaultWords: What the documentation says of a default that depends on the machine, or of its absence.
    ///   - example: A value for the commented file, where there is no default.
    ///   - isSecret: Never written, never shown.
    ///   - check: The reason why a value of the right type is not allowed, or nil.
    init(
        _ key: String, _ meaning: String, default defaultValue: Value? = nil, defaultWords: String? = nil,
        example: String? = nil, isSecret: Bool = false, check: @escaping @Sendable (Value) -> String? = { _ in nil }
    ) {
        self.key = key
        self.meaning = meaning
        self.defaultValue = defaultValue
        self.defaultWords = defaultWords
        self.example = example
        self.isSecret = isSecret
        self.check = check
    }

    /// The value of this text.
    public func parse(_ text: String) throws(ValueFault) -> Value {
        let value = try Value(settingText: text)
        if let reason = check(value) { throw ValueFault(reason) }
        return value
    }

    public func normalized(_ text: String) throws(ValueFault) -> String { try parse(text).settingText }
    public var typeName: String { Value.typeName }
    public var defaultText: String? { defaultValue?.settingText }
}

/// What is known of a setting without its type.
public protocol SettingDeclaration: Sendable {
    var key: String { get }
    var meaning: String { get }
    var typeName: String { get }
    var defaultText: String? { get }
    var defaultWords: String? { get }
    var example: String? { get }
    var isSecret: Bool { get }
    /// The text as the type prints it, or why it is no value.
    func normalized(_ text: String) throws(ValueFault) -> String
}

extension SettingDeclaration {
    /// `storage-dest`, without the dashes in front.
    public var optionName: String { String(key.map { $0 == "_" ? "-" : $0 }) }
    /// `ZENITH_STORAGE_DEST`.
    public var environmentName: String { "ZENITH_" + key.uppercased() }
    /// The default as the documentation gives it; nil where there is none.
    public var defaultDescription: String? { defaultWords ?? defaultText }

    /// The help of the option that sets this.
    public var argumentHelp: ArgumentHelp {
        let ending = defaultDescription.map { " (default: \($0))" } ?? ""
        return ArgumentHelp("\(meaning)\(ending).", valueName: typeName.split(separator: " ").joined(separator: "-"))
    }
}
