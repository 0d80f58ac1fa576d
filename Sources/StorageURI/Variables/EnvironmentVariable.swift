/// The declaration of one variable: lookups, the check for misspelt names and the reference in docs/ come from it.
public struct EnvironmentVariable: Sendable, Hashable {
    /// What the variable decides, which settles whether a role inherits it.
    public enum Kind: Sendable {
        /// Inherited from the unprefixed variable, one by one.
        case setting
        /// Part of an identity: inherited with the whole set, or not at all.
        case credential
        /// Where requests, and with them credentials, are sent to.
        case endpoint
        /// A location itself, such as `S3_PREFIX`.
        case location
    }

    /// Whether the variable does anything.
    public enum Support: Sendable, Hashable {
        case used
        /// Accepted, so that an environment made for other tools works, but without effect, for this reason.
        case withoutEffect(String)
        /// Read once the scheme's transport exists.
        case later
    }

    public let name: String
    /// Other names of the same variable, asked in this order after `name`.
    public let aliases: [String]
    public let kind: Kind
    public let meaning: String
    /// The unit or form of the value: `seconds`, `bytes`, `true or false`.
    public let unit: String
    /// The default, in words; empty when there is none.
    public let defaultText: String
    public let isSecret: Bool
    public let support: Support

    init(
        _ name: String, aliases: [String] = [], _ kind: Kind, _ meaning: String, unit: String = "text",
        default defaultText: String = "", secret isSecret: Bool = false, support: Support = .used
    ) {
        self.name = name
        self.aliases = aliases
        self.kind = kind
        self.meaning = meaning
        self.unit = unit
        self.defaultText = defaultText
        self.isSecret = isSecret
        self.support = support
    }

    /// A variable that is inherited by itself.
    init(
        _ name: String, aliases: [String] = [], _ meaning: String, unit: String = "text",
        default defaultText: String = "", secret isSecret: Bool = false, support: Support = .used
    ) {
        self.init(
            name, aliases: aliases, .setting, meaning, unit: unit, default: defaultText, secret: isSecret,
            support: support)
    }

    public var names: [String] { [name] + aliases }
}
