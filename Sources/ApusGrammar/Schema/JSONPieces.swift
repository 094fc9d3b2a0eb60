/// The rules of JSON that every schema builds on.
///
/// White space is bounded, so that a small model can't lose itself in it: nothing or a blank after a colon; after an opening
/// bracket, after a comma and before a closing bracket nothing, a blank, or a line break with at most 20 blanks or tabs.
/// Numbers have at most 16 digits before and after the point and 2 in the exponent.
struct JSONPieces {
    /// White space after a colon.
    static let afterColon = Expression.optional(.oneOf(" "))
    /// A digit.
    static let digit = Expression.oneOf(CharacterRanges([0x30...0x39]))
    /// A digit but 0.
    static let positiveDigit = Expression.oneOf(CharacterRanges([0x31...0x39]))
    /// The characters that stand for themselves in a string.
    static let plain = CharacterRanges("\"\\").union(CharacterRanges([0...0x1F])).inverted

    /// White space beside brackets and after commas.
    let gap: Expression
    /// One character of a string, escaped or not; never half of a surrogate pair.
    let character: Expression
    /// Any string.
    let string: Expression
    /// Any whole number without point and exponent.
    let integer: Expression
    /// Any number.
    let number: Expression
    /// `true` or `false`.
    let boolean: Expression
    /// Any value.
    let value: Expression
    /// Any array.
    let array: Expression
    /// Any object.
    let object: Expression

    /// Adds the rules.
    init(in rules: inout RuleSet) {
        let value = rules.declare("value", at: .whole)
        let object = rules.declare("object", at: .whole)
        let array = rules.declare("array", at: .whole)
        let indent = Expression.repeated(.oneOf(" \t"), minimum: 0, maximum: 20)
        gap = rules.add("gap", at: .whole, as: .choice([.nothing, .text(" "), .sequence([.text("\n"), indent])]))
        character = rules.add("character", at: .whole, as: .choice([.oneOf(Self.plain), Self.escape]))
        string = rules.add(
            "string",
            at: .whole,
            as: .sequence([.text("\""), .repeated(character, minimum: 0, maximum: nil), .text("\"")])
        )
        integer = rules.add("integer", at: .whole, as: Self.integer)
        number = rules.add("number", at: .whole, as: Self.number)
        boolean = .choice([.text("true"), .text("false")])
        rules.define(
            value,
            as: .choice([.rule(object), .rule(array), string, number, boolean, .text("null")])
        )
        let member = rules.add(
            "member",
            at: .whole,
            as: .sequence([string, .text(":"), Self.afterColon, .rule(value)])
        )
        rules.define(object, as: Self.list("{", member, "}", gap: gap, in: &rules))
        rules.define(array, as: Self.list("[", .rule(value), "]", gap: gap, in: &rules))
        self.value = .rule(value)
        self.object = .rule(object)
        self.array = .rule(array)
    }

    /// Items between brackets, with commas between them.
    ///
    /// - Parameters:
    ///   - opening: The bracket before them.
    ///   - item: What an item is.
    ///   - closing: The bracket behind them.
    ///   - gap: The white space.
    ///   - minimum: The least number of items.
    ///   - maximum: The greatest number of items, if there is one.
    ///   - rules: Where rules of the list go.
    /// - Returns: The list, brackets included.
    static func list(
        _ opening: String,
        _ item: Expression,
        _ closing: String,
        gap: Expression,
        minimum: Int = 0,
        maximum: Int? = nil,
        in rules: inout RuleSet
    ) -> Expression {
        if maximum == 0 { return .text(opening + closing) }
        let end = Expression.sequence([gap, .text(closing)])
        let some: Expression
        if maximum == nil, minimum <= 1 {
            // One place for the first item and the later ones: a state within an item is the same in all of them.
            let items = rules.declare("items", at: .whole)
            rules.define(items, as: .sequence([item, .choice([end, .sequence([.text(","), gap, .rule(items)])])]))
            some = .sequence([gap, .rule(items)])
        } else {
            let next = Expression.sequence([.text(","), gap, item])
            let more = Expression.repeated(next, minimum: max(0, minimum - 1), maximum: maximum.map { $0 - 1 })
            some = .sequence([gap, item, more, end])
        }
        return .sequence([.text(opening), minimum == 0 ? .choice([.text(closing), some]) : some])
    }

    /// A backslash with what it may stand before.
    private static let escape: Expression = {
        func hex(_ count: Int) -> Expression {
            .repeated(.oneOf("0123456789abcdefABCDEF"), minimum: count, maximum: count)
        }
        let low = Expression.sequence([.text("\\u"), .oneOf("dD"), .oneOf("cdefCDEF"), hex(2)])
        let unit = Expression.choice([
            .sequence([.oneOf("0123456789abcABCefEF"), hex(3)]),
            .sequence([.oneOf("dD"), .oneOf("01234567"), hex(2)]),
            .sequence([.oneOf("dD"), .oneOf("89abAB"), hex(2), low]),
        ])
        return .sequence([.text("\\"), .choice([.oneOf("\"\\/bfnrt"), .sequence([.text("u"), unit])])])
    }()

    private static let integer = Expression.choice([
        .text("0"),
        .sequence([
            .optional(.text("-")), positiveDigit, .repeated(digit, minimum: 0, maximum: NumberRanges.digits - 1),
        ]),
    ])

    /// No exponent follows a lone 0: Foundation's parser refuses that.
    private static let number: Expression = {
        let fraction = Expression.sequence([
            .text("."), .repeated(digit, minimum: 1, maximum: NumberRanges.digits),
        ])
        let exponent = Expression.optional(
            .sequence([.oneOf("eE"), .optional(.oneOf("+-")), .repeated(digit, minimum: 1, maximum: 2)])
        )
        let positive = Expression.sequence([
            positiveDigit, .repeated(digit, minimum: 0, maximum: NumberRanges.digits - 1), .optional(fraction),
            exponent,
        ])
        let zero = Expression.sequence([.text("0"), .optional(.sequence([fraction, exponent]))])
        return .sequence([.optional(.text("-")), .choice([zero, positive])])
    }()
}
