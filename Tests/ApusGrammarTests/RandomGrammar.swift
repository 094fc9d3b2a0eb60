/// Grammars of small texts over a few letters, some of them with characters of several bytes.
struct RandomGrammar {
    private var random: SeededGenerator
    private var rules = 0

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    mutating func gbnf() -> String {
        rules = Int.random(in: 1...4, using: &random)
        var lines: [String] = []
        for rule in 0..<rules { lines.append("\(name(rule)) ::= \(choice(depth: 0, first: true))") }
        return lines.joined(separator: "\n")
    }

    private func name(_ rule: Int) -> String { rule == 0 ? "root" : "r\(rule)" }

    private mutating func choice(depth: Int, first: Bool) -> String {
        (0..<Int.random(in: 1...3, using: &random)).map { _ in sequence(depth: depth, first: first) }
            .joined(separator: " | ")
    }

    private mutating func sequence(depth: Int, first: Bool) -> String {
        let items = (0..<Int.random(in: 1...3, using: &random)).map { place in
            item(depth: depth, first: first && place == 0)
        }
        return items.joined(separator: " ")
    }

    private mutating func item(depth: Int, first: Bool) -> String {
        var text: String
        switch Int.random(in: 0..<(depth < 3 ? 8 : 6), using: &random) {
        case 0: text = "\"ab\""
        case 1: text = "\"\u{E9}\u{4E2D}\""
        case 2: text = "[a-c]"
        case 3: text = "[^ab\u{E9}]"
        case 4: text = "\"\u{1F600}\""
        case 5: text = "."
        case 6: text = "(" + choice(depth: depth + 1, first: first) + ")"
        // A rule at the beginning would often be left recursion.
        default: text = (first ? "\"c\" " : "") + name(Int.random(in: 0..<rules, using: &random))
        }
        switch Int.random(in: 0..<8, using: &random) {
        case 0: text += "?"
        case 1: text += "*"
        case 2: text += "+"
        case 3: text += "{1,3}"
        default: break
        }
        return text
    }
}
