/// Rules of a grammar with their names, before they are compiled.
struct RuleSet {
    /// One rule.
    struct Rule {
        let name: String
        /// Where it was first spoken of, for error messages.
        var place: GrammarError.Place
        /// What it says; `nil` until it is defined.
        var body: Expression?
    }

    /// The rules, by number.
    private(set) var rules: [Rule] = []

    /// Makes room for a rule that is defined later.
    mutating func declare(_ name: String, at place: GrammarError.Place) -> Int {
        rules.append(Rule(name: name, place: place, body: nil))
        return rules.count - 1
    }

    /// Says what a declared rule means.
    mutating func define(_ rule: Int, as body: Expression, at place: GrammarError.Place? = nil) {
        rules[rule].body = body
        if let place { rules[rule].place = place }
    }

    /// Adds a rule.
    ///
    /// - Returns: An expression that stands for it.
    mutating func add(_ name: String, at place: GrammarError.Place, as body: Expression) -> Expression {
        let rule = declare(name, at: place)
        define(rule, as: body)
        return .rule(rule)
    }
}
