/// Reads grammars in GBNF, the notation of llama.cpp (`grammars/README.md` there), without its token literals.
struct GBNFParser {
    /// The grammar's text.
    let text: [Unicode.Scalar]
    /// The next scalar to read.
    var position = 0
    private var rules = RuleSet()
    private var numbers: [String: Int] = [:]
    private var depth = 0
    /// Where each line begins.
    private let lineStarts: [Int]

    private init(_ text: String) {
        self.text = Array(text.unicodeScalars)
        lineStarts = [0] + self.text.indices.filter { [text = self.text] in text[$0] == "\n" }.map { $0 + 1 }
    }

    /// Reads a grammar.
    ///
    /// - Parameter text: The grammar.
    /// - Returns: Its rules, each defined, and the number of the one named `root`.
    /// - Throws: `GrammarError` with line and column.
    static func parse(_ text: String) throws(GrammarError) -> (rules: RuleSet, root: Int) {
        guard text.utf8.count <= GrammarLimits.textBytes else {
            throw GrammarError(
                .whole,
                "The grammar has \(text.utf8.count) bytes; at most \(GrammarLimits.textBytes) are allowed."
            )
        }
        var parser = GBNFParser(text)
        return try parser.parse()
    }

    private mutating func parse() throws(GrammarError) -> (rules: RuleSet, root: Int) {
        skipSpace(overLines: true)
        while position < text.count { try readRule() }
        for rule in rules.rules where rule.body == nil {
            throw GrammarError(
                rule.place,
                "Rule \(GrammarError.quoted(rule.name)) is used but not defined; define it, or correct the name."
            )
        }
        guard let root = numbers["root"] else {
            throw GrammarError(
                .whole,
                "The grammar has no rule 'root'; add 'root ::= ...', which says what an answer is."
            )
        }
        return (rules, root)
    }

    // MARK: Rules

    private mutating func readRule() throws(GrammarError) {
        let beginning = position
        let rule = try readName()
        skipSpace(overLines: false)
        guard peek() == ":", peek(1) == ":", peek(2) == "=" else {
            throw failure(at: position, "'::=' must follow the name of a rule.")
        }
        guard rules.rules[rule].body == nil else {
            throw failure(
                at: beginning,
                "Rule \(GrammarError.quoted(rules.rules[rule].name)) is defined twice; join the two with '|'."
            )
        }
        position += 3
        skipSpace(overLines: true)
        let body = try readChoice(isNested: false)
        rules.define(rule, as: body, at: place(of: beginning))
        guard let end = peek() else { return }
        guard end == "\n" || end == "\r" else {
            throw failure(at: position, "\(shown(end)) can't stand here; a rule ends with its line.")
        }
        skipSpace(overLines: true)
    }

    private mutating func readChoice(isNested: Bool) throws(GrammarError) -> Expression {
        var alternatives = [try readSequence(isNested: isNested)]
        while peek() == "|" {
            position += 1
            skipSpace(overLines: true)
            alternatives.append(try readSequence(isNested: isNested))
        }
        return alternatives.count == 1 ? alternatives[0] : .choice(alternatives)
    }

    private mutating func readSequence(isNested: Bool) throws(GrammarError) -> Expression {
        var parts: [Expression] = []
        while let next = peek() {
            let item: Expression
            switch next {
            case "\"": item = try readText()
            case "[": item = try readSet()
            case "(": item = try readGroup()
            case ".":
                position += 1
                item = .oneOf(.all)
            case "<", "!":
                throw failure(
                    at: position,
                    "Token literals are not supported, because grammars describe text; write the text in quotes."
                )
            case "*", "+", "?", "{":
                throw failure(at: position, "\(shown(next)) must follow what it repeats.")
            case _ where Self.isWord(next): item = .rule(try readName())
            default: return parts.count == 1 ? parts[0] : .sequence(parts)
            }
            skipSpace(overLines: isNested)
            parts.append(try readRepetitions(of: item, isNested: isNested))
        }
        return parts.count == 1 ? parts[0] : .sequence(parts)
    }

    private mutating func readGroup() throws(GrammarError) -> Expression {
        let beginning = position
        guard depth < GrammarLimits.nesting else {
            throw failure(
                at: position,
                "Groups are nested deeper than \(GrammarLimits.nesting); give the inner ones names of their own."
            )
        }
        depth += 1
        position += 1
        skipSpace(overLines: true)
        let body = try readChoice(isNested: true)
        guard peek() == ")" else {
            let found = peek().map { "\(shown($0)) can't stand in a group" } ?? "The grammar ends in a group"
            throw failure(at: peek() == nil ? beginning : position, "\(found); ')' must close it.")
        }
        position += 1
        depth -= 1
        return body
    }

    private mutating func readName() throws(GrammarError) -> Int {
        let beginning = position
        while let next = peek(), Self.isWord(next) { position += 1 }
        guard position > beginning else {
            let found = peek().map(shown) ?? "The end"
            throw failure(at: position, "\(found) can't stand here; a rule's name has letters, digits and dashes.")
        }
        var view = String.UnicodeScalarView()
        view.append(contentsOf: text[beginning..<position])
        let name = String(view)
        if let number = numbers[name] { return number }
        let number = rules.declare(name, at: place(of: beginning))
        numbers[name] = number
        return number
    }

    // MARK: Repetitions

    private mutating func readRepetitions(of item: Expression, isNested: Bool) throws(GrammarError) -> Expression {
        var item = item
        var count = 0
        while let next = peek() {
            let beginning = position
            let bounds: (minimum: Int, maximum: Int?)
            switch next {
            case "*": bounds = (0, nil)
            case "+": bounds = (1, nil)
            case "?": bounds = (0, 1)
            case "{": bounds = try readBounds(isNested: isNested)
            default: return item
            }
            count += 1
            guard count <= 4 else {
                throw failure(at: beginning, "Too many repetitions of one item; put it into a rule of its own.")
            }
            position += 1
            skipSpace(overLines: isNested)
            item = .repeated(item, minimum: bounds.minimum, maximum: bounds.maximum)
        }
        return item
    }

    /// Reads `{m}`, `{m,}` or `{m,n}` up to the closing brace.
    private mutating func readBounds(isNested: Bool) throws(GrammarError) -> (minimum: Int, maximum: Int?) {
        let beginning = position
        position += 1
        skipSpace(overLines: isNested)
        let minimum = try readCount()
        var maximum: Int? = minimum
        skipSpace(overLines: isNested)
        if peek() == "," {
            position += 1
            skipSpace(overLines: isNested)
            maximum = nil
            if let next = peek(), ("0"..."9").contains(next) { maximum = try readCount() }
            skipSpace(overLines: isNested)
        }
        guard peek() == "}" else { throw failure(at: position, "'}' must close the repetition, as in {2} or {2,5}.") }
        if let maximum, maximum < minimum {
            throw failure(at: beginning, "The repetition's maximum \(maximum) is below its minimum \(minimum).")
        }
        return (minimum, maximum)
    }

    private mutating func readCount() throws(GrammarError) -> Int {
        let beginning = position
        var count = 0
        while let next = peek(), ("0"..."9").contains(next) {
            count = count * 10 + Int(next.value - 0x30)
            guard count <= GrammarLimits.repetitions else {
                throw failure(
                    at: beginning,
                    "A repetition may ask for at most \(GrammarLimits.repetitions); leave the maximum out, or lower it."
                )
            }
            position += 1
        }
        guard position > beginning else { throw failure(at: position, "A number must stand here, as in {2,5}.") }
        return count
    }

    // MARK: Text

    /// The next scalar, or one further on, if there is one.
    func peek(_ distance: Int = 0) -> Unicode.Scalar? {
        position + distance < text.count ? text[position + distance] : nil
    }

    private mutating func skipSpace(overLines: Bool) {
        while let next = peek() {
            switch next {
            case " ", "\t": position += 1
            case "\n", "\r":
                guard overLines else { return }
                position += 1
            case "#":
                while let within = peek(), within != "\n", within != "\r" { position += 1 }
            default: return
            }
        }
    }

    private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "-": true
        default: false
        }
    }

    private func shown(_ scalar: Unicode.Scalar) -> String { GrammarError.quoted(String(scalar)) }

    private func place(of position: Int) -> GrammarError.Place {
        var low = 0
        var high = lineStarts.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if lineStarts[middle] <= position { low = middle } else { high = middle }
        }
        return .text(line: low + 1, column: position - lineStarts[low] + 1)
    }

    /// An error of what stands at a position.
    func failure(at position: Int, _ reason: String) -> GrammarError {
        GrammarError(place(of: position), reason)
    }
}
