/// Reads JSON strictly (RFC 8259), without keys that are there twice.
struct JSONParser {
    private let text: [Unicode.Scalar]
    private var position = 0

    private init(_ text: String) { self.text = Array(text.unicodeScalars) }

    /// Reads a JSON text.
    ///
    /// - Parameter text: One value, with white space around it or not.
    /// - Returns: The value.
    /// - Throws: `GrammarError` with line and column for text that is no JSON, is larger than `GrammarLimits.textBytes` or is
    ///   nested deeper than `GrammarLimits.nesting`.
    static func parse(_ text: String) throws(GrammarError) -> JSONValue {
        guard text.utf8.count <= GrammarLimits.textBytes else {
            throw GrammarError(
                .whole,
                "The schema has \(text.utf8.count) bytes; at most \(GrammarLimits.textBytes) are allowed."
            )
        }
        var parser = JSONParser(text)
        let value = try parser.readValue(depth: 0)
        parser.skipSpace()
        guard parser.position == parser.text.count else {
            throw parser.failure("Nothing may follow the schema; remove what stands here.")
        }
        return value
    }

    private mutating func readValue(depth: Int) throws(GrammarError) -> JSONValue {
        guard depth < GrammarLimits.nesting else {
            throw failure("The schema is nested deeper than \(GrammarLimits.nesting); use $defs and $ref.")
        }
        skipSpace()
        guard let next = peek else { throw failure("A JSON value must stand here.") }
        switch next {
        case "{": return try readObject(depth: depth)
        case "[": return try readArray(depth: depth)
        case "\"": return .string(try readString())
        case "t": return try readWord("true", .bool(true))
        case "f": return try readWord("false", .bool(false))
        case "n": return try readWord("null", .null)
        case "-", "0"..."9": return try readNumber()
        default: throw failure("A JSON value must stand here.")
        }
    }

    private mutating func readObject(depth: Int) throws(GrammarError) -> JSONValue {
        position += 1
        var object = JSONObject()
        skipSpace()
        if take("}") { return .object(object) }
        while true {
            skipSpace()
            guard peek == "\"" else { throw failure("A key in quotes must stand here.") }
            let beginning = position
            let key = try readString()
            guard object[key] == nil else {
                position = beginning
                throw failure("The key \(GrammarError.quoted(key)) is there twice in its object; remove one.")
            }
            skipSpace()
            guard take(":") else { throw failure("':' must follow the key.") }
            object[key] = try readValue(depth: depth + 1)
            skipSpace()
            if take("}") { return .object(object) }
            guard take(",") else { throw failure("',' or '}' must stand here.") }
        }
    }

    private mutating func readArray(depth: Int) throws(GrammarError) -> JSONValue {
        position += 1
        var values: [JSONValue] = []
        skipSpace()
        if take("]") { return .array(values) }
        while true {
            values.append(try readValue(depth: depth + 1))
            skipSpace()
            if take("]") { return .array(values) }
            guard take(",") else { throw failure("',' or ']' must stand here.") }
        }
    }

    private mutating func readString() throws(GrammarError) -> String {
        position += 1
        var result = String.UnicodeScalarView()
        while let next = peek {
            position += 1
            switch next {
            case "\"": return String(result)
            case "\\": result.append(try readEscape())
            case "\0"..<" ":
                position -= 1
                throw failure("A control character must be escaped in a string.")
            default: result.append(next)
            }
        }
        throw failure("The string is not closed; add '\"'.")
    }

    private mutating func readEscape() throws(GrammarError) -> Unicode.Scalar {
        guard let escape = peek else { throw failure("The string ends after a backslash.") }
        position += 1
        switch escape {
        case "\"", "\\", "/": return escape
        case "b": return "\u{8}"
        case "f": return "\u{C}"
        case "n": return "\n"
        case "r": return "\r"
        case "t": return "\t"
        case "u":
            var value = try readHex()
            if (0xD800...0xDBFF).contains(value), take("\\"), take("u") {
                let low = try readHex()
                if (0xDC00...0xDFFF).contains(low) { value = 0x1_0000 + (value - 0xD800) << 10 + (low - 0xDC00) }
            }
            guard let scalar = Unicode.Scalar(value) else { throw failure("The escape is half of a surrogate pair.") }
            return scalar
        default:
            position -= 1
            throw failure("Unknown escape; known are \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uHHHH.")
        }
    }

    private mutating func readHex() throws(GrammarError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let next = peek, next.isASCII, let digit = Character(next).hexDigitValue else {
                throw failure("The escape needs 4 hexadecimal digits.")
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }

    private mutating func readNumber() throws(GrammarError) -> JSONValue {
        let beginning = position
        _ = take("-")
        if !take("0") { try readDigits() }
        if take(".") { try readDigits() }
        if take("e") || take("E") {
            if !take("-") { _ = take("+") }
            try readDigits()
        }
        var view = String.UnicodeScalarView()
        view.append(contentsOf: text[beginning..<position])
        return .number(String(view))
    }

    private mutating func readDigits() throws(GrammarError) {
        guard let first = peek, ("0"..."9").contains(first) else { throw failure("A digit must stand here.") }
        while let next = peek, ("0"..."9").contains(next) { position += 1 }
    }

    private mutating func readWord(_ word: String, _ value: JSONValue) throws(GrammarError) -> JSONValue {
        for scalar in word.unicodeScalars {
            guard take(scalar) else { throw failure("A JSON value must stand here, such as \(word).") }
        }
        return value
    }

    private var peek: Unicode.Scalar? { position < text.count ? text[position] : nil }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard peek == scalar else { return false }
        position += 1
        return true
    }

    private mutating func skipSpace() {
        while let next = peek, next == " " || next == "\n" || next == "\r" || next == "\t" { position += 1 }
    }

    private func failure(_ reason: String) -> GrammarError {
        let read = text[..<position]
        let line = read.count { $0 == "\n" } + 1
        let column = position - (read.lastIndex(of: "\n").map { $0 + 1 } ?? 0) + 1
        return GrammarError(.text(line: line, column: column), reason)
    }
}
