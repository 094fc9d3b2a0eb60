/// What grammars, schemas and states may cost; each bound holds whatever a peer sends.
public enum GrammarLimits {
    /// Bytes of a grammar's or a schema's text.
    public static let textBytes = 65_536
    /// Nested groups of a grammar or a regular expression, nested values of a schema.
    public static let nesting = 64
    /// Elements of a compiled grammar, repetitions written out.
    public static let elements = 50_000
    /// How often a repetition may ask for its item.
    public static let repetitions = 2_000
    /// Alternatives that a state may follow at once.
    public static let stacks = 512
    /// Rules that may be open at once in one alternative.
    public static let depth = 1_024
    /// Open rules of all alternatives of a state together.
    public static let openRules = 32_768
    /// Configurations that may be visited after a character, before the next one is read.
    public static let stepsPerCharacter = 4_096
    /// Steps that a mask over a vocabulary may take.
    public static let stepsPerMask = 1_000_000
    /// Units of work that the conversion of a schema may take; a unit is about one keyword, property or value.
    static let conversionWork = 50_000
    /// Optional properties of one object in a schema: each is an alternative that a state follows.
    static let optionalProperties = 256
}
