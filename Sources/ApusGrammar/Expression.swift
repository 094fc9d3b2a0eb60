/// What a rule of a grammar says, before it is compiled.
indirect enum Expression: Sendable {
    /// These scalars, one after the other.
    case text([UInt32])
    /// One scalar of a set that isn't empty.
    case oneOf(CharacterRanges)
    /// All of these, one after the other; none is the empty text.
    case sequence([Expression])
    /// One of these, at least one.
    case choice([Expression])
    /// The item, this many times; no maximum means without end.
    case repeated(Expression, minimum: Int, maximum: Int?)
    /// What the rule with this number says.
    case rule(Int)

    /// The empty text.
    static let nothing = Expression.sequence([])

    /// The scalars of a text, one after the other.
    static func text(_ text: String) -> Expression { .text(text.unicodeScalars.map(\.value)) }

    /// One scalar of the text.
    static func oneOf(_ characters: String) -> Expression { .oneOf(CharacterRanges(characters)) }

    /// The item or nothing.
    static func optional(_ item: Expression) -> Expression { .repeated(item, minimum: 0, maximum: 1) }

    /// Whether it is one element of a compiled grammar.
    var isSingle: Bool {
        switch self {
        case .text(let scalars): scalars.count == 1
        case .oneOf, .rule: true
        default: false
        }
    }
}
