extension GBNFParser {
    /// Reads a text in quotes.
    mutating func readText() throws(GrammarError) -> Expression {
        let beginning = position
        position += 1
        var scalars: [UInt32] = []
        while let next = peek() {
            if next == "\"" {
                position += 1
                return .text(scalars)
            }
            scalars.append(try readCharacter())
        }
        throw failure(at: beginning, "The text is not closed; add '\"'.")
    }

    /// Reads a set in brackets.
    mutating func readSet() throws(GrammarError) -> Expression {
        let beginning = position
        position += 1
        var isNegated = false
        if peek() == "^" {
            isNegated = true
            position += 1
        }
        var ranges: [ClosedRange<UInt32>] = []
        while let next = peek(), next != "]" {
            let start = position
            let low = try readCharacter()
            var high = low
            if peek() == "-", let end = peek(1), end != "]" {
                position += 1
                high = try readCharacter()
            }
            guard low <= high else { throw failure(at: start, "The range ends before it begins; exchange its ends.") }
            ranges.append(low...high)
        }
        guard peek() == "]" else { throw failure(at: beginning, "The character set is not closed; add ']'.") }
        position += 1
        let set = CharacterRanges(ranges)
        let result = isNegated ? set.inverted : set
        guard !ranges.isEmpty, !result.isEmpty else {
            throw failure(at: beginning, "No character is in the set, so nothing could follow; name at least one.")
        }
        return .oneOf(result)
    }

    private mutating func readCharacter() throws(GrammarError) -> UInt32 {
        let beginning = position
        guard let first = peek() else { throw failure(at: position, "The grammar ends within a text.") }
        position += 1
        guard first == "\\" else { return first.value }
        guard let escape = peek() else { throw failure(at: beginning, "The grammar ends after a backslash.") }
        position += 1
        switch escape {
        case "x": return try readHex(digits: 2, from: beginning)
        case "u": return try readHex(digits: 4, from: beginning)
        case "U": return try readHex(digits: 8, from: beginning)
        case "t": return 0x09
        case "r": return 0x0D
        case "n": return 0x0A
        case "\\", "\"", "[", "]", "-", "^": return escape.value
        default:
            throw failure(
                at: beginning,
                "Unknown escape; known are \\n \\r \\t \\\\ \\\" \\[ \\] \\- \\^ \\xHH \\uHHHH \\UHHHHHHHH."
            )
        }
    }

    private mutating func readHex(digits: Int, from beginning: Int) throws(GrammarError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<digits {
            guard let next = peek(), next.isASCII, let digit = Character(next).hexDigitValue else {
                throw failure(at: beginning, "The escape needs \(digits) hexadecimal digits.")
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        guard Unicode.Scalar(value) != nil else {
            throw failure(at: beginning, "The escape names no Unicode character; they end at \\U0010FFFF.")
        }
        return value
    }
}
