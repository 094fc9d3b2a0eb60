/// Turns rules into instructions.
struct ProgramCompiler {
    private let rules: RuleSet
    private var code: [Program.Instruction] = []
    private var sets: [CharacterRanges] = []
    private var setNumbers: [CharacterRanges: UInt32] = [:]
    /// Where each rule begins: first those of the rule set, then the bodies of repetitions.
    private var starts: [UInt32] = []
    /// For each rule, the one of the rule set that it was written in.
    private var owners: [Int] = []
    private var bodies: [Expression] = []
    /// The rule that is being written.
    private var current = 0

    private init(_ rules: RuleSet) { self.rules = rules }

    /// Compiles rules.
    ///
    /// - Parameters:
    ///   - rules: The rules, each defined.
    ///   - root: The rule that an answer has to follow.
    /// - Returns: The program.
    /// - Throws: `GrammarError` for a grammar that is too large, that recurses on its left side, or with a rule that can
    ///   never end.
    static func compile(_ rules: RuleSet, root: Int) throws(GrammarError) -> Program {
        var compiler = ProgramCompiler(rules)
        return try compiler.compile(root: root)
    }

    private mutating func compile(root: Int) throws(GrammarError) -> Program {
        for (number, rule) in rules.rules.enumerated() {
            guard let body = rule.body else {
                throw GrammarError(
                    rule.place,
                    "Rule \(GrammarError.quoted(rule.name)) is used but not defined; add a line '\(rule.name) ::= ...'."
                )
            }
            bodies.append(body)
            owners.append(number)
        }
        var next = 0
        // Repetitions append bodies of their own while the list is worked off.
        while next < bodies.count {
            current = next
            starts.append(UInt32(code.count))
            try write(bodies[next], depth: 0)
            try append(Program.Instruction(operation: .finish))
            next += 1
        }
        try ProgramChecks(code: code, starts: starts, root: root).run { (rule, reason) in
            let owner = rules.rules[owners[rule]]
            return GrammarError(owner.place, "Rule \(GrammarError.quoted(owner.name)) \(reason)")
        }
        link()
        return Program(code: code, start: starts[root], sets: sets)
    }

    // MARK: Writing

    @discardableResult
    private mutating func append(_ instruction: Program.Instruction) throws(GrammarError) -> Int {
        guard code.count < GrammarLimits.elements else {
            throw GrammarError(
                rules.rules[owners[current]].place,
                "The grammar has more than \(GrammarLimits.elements) elements once its repetitions are written out;"
                    + " use fewer or smaller repetitions."
            )
        }
        code.append(instruction)
        return code.count - 1
    }

    private mutating func write(_ expression: Expression, depth: Int) throws(GrammarError) {
        guard depth < 4 * GrammarLimits.nesting else {
            throw GrammarError(rules.rules[owners[current]].place, "The grammar is nested too deeply; use more rules.")
        }
        switch expression {
        case .text(let scalars):
            for scalar in scalars { try writeMatch(CharacterRanges([scalar...scalar])) }
        case .oneOf(let set):
            try writeMatch(set)
        case .sequence(let parts):
            for part in parts { try write(part, depth: depth + 1) }
        case .choice(let alternatives):
            try writeChoice(alternatives, depth: depth)
        case .repeated(let item, let minimum, let maximum):
            try writeRepetition(of: item, minimum: minimum, maximum: maximum, depth: depth)
        case .rule(let rule):
            try append(Program.Instruction(operation: .call, first: UInt32(rule)))
        }
    }

    private mutating func writeMatch(_ set: CharacterRanges) throws(GrammarError) {
        let number: UInt32
        if let known = setNumbers[set] {
            number = known
        } else {
            number = UInt32(sets.count)
            sets.append(set)
            setNumbers[set] = number
        }
        try append(Program.Instruction(operation: .match, first: number))
    }

    private mutating func writeChoice(_ alternatives: [Expression], depth: Int) throws(GrammarError) {
        var jumps: [Int] = []
        for alternative in alternatives.dropLast() {
            let fork = try append(Program.Instruction(operation: .fork))
            code[fork].first = UInt32(code.count)
            try write(alternative, depth: depth + 1)
            jumps.append(try append(Program.Instruction(operation: .jump)))
            code[fork].second = UInt32(code.count)
        }
        if let last = alternatives.last { try write(last, depth: depth + 1) }
        for jump in jumps { code[jump].first = UInt32(code.count) }
    }

    private mutating func writeRepetition(
        of item: Expression,
        minimum: Int,
        maximum: Int?,
        depth: Int
    ) throws(GrammarError) {
        let copies = maximum ?? max(minimum, 1)
        var item = item
        if copies > 1, !item.isSingle {
            bodies.append(item)
            owners.append(owners[current])
            item = .rule(bodies.count - 1)
        }
        if maximum == nil, minimum == 0 {
            let fork = try append(Program.Instruction(operation: .fork))
            code[fork].first = UInt32(code.count)
            try write(item, depth: depth + 1)
            try append(Program.Instruction(operation: .jump, first: UInt32(fork)))
            code[fork].second = UInt32(code.count)
            return
        }
        var last = code.count
        for _ in 0..<minimum {
            last = code.count
            try write(item, depth: depth + 1)
        }
        guard let maximum else {
            let fork = try append(Program.Instruction(operation: .fork, first: UInt32(last)))
            code[fork].second = UInt32(code.count)
            return
        }
        var forks: [Int] = []
        for _ in minimum..<maximum {
            let fork = try append(Program.Instruction(operation: .fork))
            code[fork].first = UInt32(code.count)
            forks.append(fork)
            try write(item, depth: depth + 1)
        }
        for fork in forks { code[fork].second = UInt32(code.count) }
    }

    // MARK: Linking

    /// Puts addresses for rule numbers, makes last calls jumps, and lets branches skip jumps.
    private mutating func link() {
        for place in code.indices where code[place].operation == .call {
            code[place].first = starts[Int(code[place].first)]
        }
        for place in code.indices where code[place].operation == .call {
            // The instruction after a call is in the same rule: at least its `finish`.
            if code[Int(target(UInt32(place + 1)))].operation == .finish { code[place].operation = .jump }
        }
        for place in code.indices {
            switch code[place].operation {
            case .fork:
                code[place].first = target(code[place].first)
                code[place].second = target(code[place].second)
            case .jump, .call:
                code[place].first = target(code[place].first)
            case .match, .finish:
                break
            }
        }
    }

    /// Where a run of jumps leads; a loop of jumps is left after a while.
    private func target(_ address: UInt32) -> UInt32 {
        var address = address
        for _ in 0..<GrammarLimits.nesting {
            guard code[Int(address)].operation == .jump else { break }
            address = code[Int(address)].first
        }
        return address
    }
}
