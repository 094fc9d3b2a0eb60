/// Turns regular expressions into grammars of the JSON strings whose value they match.
///
/// The part of ECMAScript's notation that describes plain sets of texts: characters, `.`, sets, `\d \D \w \W \s \S`, escapes,
/// groups, `|`, `* + ? {m} {m,} {m,n}` (a `?` behind them changes nothing here), and `^` and `$` at the ends of the whole
/// pattern or of one of its alternatives. As in JSON Schema, a pattern without anchors may match anywhere in the string.
struct PatternParser {
    private let text: [Unicode.Scalar]
    private let path: String
    private var position = 0
    private var depth = 0
    /// What was read, as characters; `encode` turns them into those of a JSON string.
    private let encode: (CharacterRanges) -> Expression

    private static let digits = CharacterRanges([0x30...0x39])
    private static let words = CharacterRanges([0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A])
    private static let spaces = CharacterRanges([
        0x09...0x0D, 0x20...0x20, 0xA0...0xA0, 0x1680...0x1680, 0x2000...0x200A, 0x2028...0x2029, 0x202F...0x202F,
        0x205F...0x205F, 0x3000...0x3000, 0xFEFF...0xFEFF,
    ])
    private static let lineEnds = CharacterRanges("\n\r\u{2028}\u{2029}")

    private init(_ text: String, path: String, encode: @escaping (CharacterRanges) -> Expression) {
        self.text = Array(text.unicodeScalars)
        self.path = path
        self.encode = encode
    }

    /// Reads a pattern.
    ///
    /// - Parameters:
    ///   - text: The regular expression.
    ///   - path: Where it stands in the schema.
    ///   - encode: The form of one character of a set within a JSON string.
    /// - Returns: What may stand between the quotes.
    /// - Throws: `GrammarError` for notation beyond the part above, naming it.
    static func parse(
        _ text: String,
        path: String,
        encode: @escaping (CharacterRanges) -> Expression
    ) throws(GrammarError) -> Expression {
        var parser = PatternParser(text, path: path, encode: encode)
        let body = try parser.readWhole()
        guard parser.position == parser.text.count else { throw parser.failure("')' closes no group") }
        return body
    }

    /// Alternatives with their own anchors.
    private mutating func readWhole() throws(GrammarError) -> Expression {
        let anything = Expression.repeated(encode(.all), minimum: 0, maximum: nil)
        var ways: [Expression] = []
        repeat {
            var parts: [Expression] = []
            if !take("^") { parts.append(anything) }
            parts.append(try readSequence())
            if !take("$") { parts.append(anything) }
            guard peek == nil || peek == "|" || peek == ")" else {
                throw failure("'$' can only stand at the end of an alternative")
            }
            ways.append(.sequence(parts))
        } while take("|")
        return ways.count == 1 ? ways[0] : .choice(ways)
    }

    private mutating func readChoice() throws(GrammarError) -> Expression {
        var ways = [try readSequence()]
        while take("|") { ways.append(try readSequence()) }
        return ways.count == 1 ? ways[0] : .choice(ways)
    }

    private mutating func readSequence() throws(GrammarError) -> Expression {
        var parts: [Expression] = []
        while let next = peek, next != "|", next != ")" {
            let item: Expression
            switch next {
            case "$":
                guard depth > 0 else { return .sequence(parts) }
                throw failure("'$' can't stand in a group; move it to the end")
            case "^": throw failure("'^' can only stand at the beginning")
            case "(": item = try readGroup()
            case "[": item = encode(try readSet())
            case ".":
                position += 1
                item = encode(Self.lineEnds.inverted)
            case "\\": item = encode(try readEscape(inSet: false))
            case "*", "+", "?", "{": throw failure("a repetition must follow what it repeats")
            case "]", "}": throw failure("'\(next)' must be escaped")
            default:
                position += 1
                item = encode(CharacterRanges([next.value...next.value]))
            }
            parts.append(try readRepetition(of: item))
        }
        return parts.count == 1 ? parts[0] : .sequence(parts)
    }

    private mutating func readGroup() throws(GrammarError) -> Expression {
        guard depth < GrammarLimits.nesting else {
            throw failure("groups are nested deeper than \(GrammarLimits.nesting)")
        }
        position += 1
        if take("?"), !take(":") {
            throw failure("only plain groups and (?:...) are supported, no look-around, names or flags")
        }
        depth += 1
        let body = try readChoice()
        depth -= 1
        guard take(")") else { throw failure("a group is not closed") }
        return body
    }

    private mutating func readRepetition(of item: Expression) throws(GrammarError) -> Expression {
        var bounds: (minimum: Int, maximum: Int?)
        switch peek {
        case "*": bounds = (0, nil)
        case "+": bounds = (1, nil)
        case "?": bounds = (0, 1)
        case "{": bounds = try readBounds()
        default: return item
        }
        position += 1
        _ = take("?")
        if let next = peek, next == "*" || next == "+" || next == "?" || next == "{" {
            throw failure("a repetition can't follow another; put the first into a group")
        }
        return .repeated(item, minimum: bounds.minimum, maximum: bounds.maximum)
    }

    private mutating func readBounds() throws(GrammarError) -> (minimum: Int, maximum: Int?) {
        position += 1
        let minimum = try readCount()
        var maximum: Int? = minimum
        if take(",") { maximum = peek == "}" ? nil : try readCount() }
        guard peek == "}" else { throw failure("'{' must be escaped or begin a repetition such as {2,5}") }
        if let maximum, maximum < minimum { throw failure("a repetition's maximum is below its minimum") }
        return (minimum, maximum)
    }

    private mutating func readCount() throws(GrammarError) -> Int {
        var count: Int?
        while let next = peek, ("0"..."9").contains(next) {
            let value = (count ?? 0) * 10 + Int(next.value - 0x30)
            guard value <= GrammarLimits.repetitions else {
                throw failure("a repetition may ask for at most \(GrammarLimits.repetitions)")
            }
            count = value
            position += 1
        }
        guard let count else { throw failure("'{' must be escaped or begin a repetition such as {2,5}") }
        return count
    }

    // MARK: Characters

    private mutating func readSet() throws(GrammarError) -> CharacterRanges {
        position += 1
        let isNegated = take("^")
        var ranges: [ClosedRange<UInt32>] = []
        while let next = peek, next != "]" {
            let low = try readSetItem()
            guard peek == "-", position + 1 < text.count, text[position + 1] != "]" else {
                ranges += low.ranges
                continue
            }
            position += 1
            let high = try readSetItem()
            guard let first = low.single, let last = high.single, first <= last else {
                throw failure("a range of a set must go from one character to a later one")
            }
            ranges.append(first...last)
        }
        guard take("]") else { throw failure("a set is not closed") }
        let set = CharacterRanges(ranges)
        let result = isNegated ? set.inverted : set
        guard !result.isEmpty else { throw failure("a set holds no character") }
        return result
    }

    private mutating func readSetItem() throws(GrammarError) -> CharacterRanges {
        guard let next = peek else { throw failure("a set is not closed") }
        if next == "\\" { return try readEscape(inSet: true) }
        position += 1
        return CharacterRanges([next.value...next.value])
    }

    private mutating func readEscape(inSet: Bool) throws(GrammarError) -> CharacterRanges {
        position += 1
        guard let escape = peek else { throw failure("the pattern ends after a backslash") }
        position += 1
        switch escape {
        case "d": return Self.digits
        case "D": return Self.digits.inverted
        case "w": return Self.words
        case "W": return Self.words.inverted
        case "s": return Self.spaces
        case "S": return Self.spaces.inverted
        case "t": return CharacterRanges("\t")
        case "n": return CharacterRanges("\n")
        case "r": return CharacterRanges("\r")
        case "f": return CharacterRanges("\u{C}")
        case "v": return CharacterRanges("\u{B}")
        case "x": return try readHex(2)
        case "u": return try readHex(4)
        case "b" where inSet: return CharacterRanges("\u{8}")
        case "0"..."9", "a"..."z", "A"..."Z":
            throw failure("'\\\(escape)' is not supported")
        default: return CharacterRanges([escape.value...escape.value])
        }
    }

    private mutating func readHex(_ count: Int) throws(GrammarError) -> CharacterRanges {
        var value: UInt32 = 0
        for _ in 0..<count {
            guard let next = peek, next.isASCII, let digit = Character(next).hexDigitValue else {
                throw failure("an escape needs \(count) hexadecimal digits")
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        let set = CharacterRanges([value...value])
        guard !set.isEmpty else {
            throw failure("an escape names half of a surrogate pair; write the character itself")
        }
        return set
    }

    private var peek: Unicode.Scalar? { position < text.count ? text[position] : nil }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard peek == scalar else { return false }
        position += 1
        return true
    }

    private func failure(_ reason: String) -> GrammarError {
        GrammarError(.path(path), "The pattern can't be followed at its character \(position + 1): \(reason).")
    }
}

extension CharacterRanges {
    /// The only scalar of the set, if it has one only.
    fileprivate var single: UInt32? {
        ranges.count == 1 && ranges[0].count == 1 ? ranges[0].lowerBound : nil
    }
}
