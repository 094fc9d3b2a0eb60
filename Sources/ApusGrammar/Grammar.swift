/// A grammar that an answer has to follow, checked and compiled.
///
/// Grammars are equal when they compile to the same elements. Copies share their storage.
public struct Grammar: Sendable {
    /// The compiled rules.
    let program: Program

    /// Reads a grammar in GBNF as llama.cpp defines it.
    ///
    /// Rules, literals with escapes, character sets, `.`, groups, alternatives, `* + ? {m} {m,} {m,n}` and comments are
    /// known; token literals (`<[1]>`, `<think>`) are refused. Bounds are those of `GrammarLimits`.
    ///
    /// - Parameter text: The grammar; its rule `root` says what a whole answer is.
    /// - Throws: `GrammarError` with line and column, for text that is no grammar, undefined rules, left recursion, rules
    ///   that can never end, and grammars over the limits.
    public init(gbnf text: String) throws(GrammarError) {
        let (rules, root) = try GBNFParser.parse(text)
        program = try ProgramCompiler.compile(rules, root: root)
    }

    /// Makes a grammar of compiled rules.
    init(_ program: Program) { self.program = program }

    /// Any JSON object, for answers in JSON mode.
    ///
    /// White space is bounded as in grammars that come from a schema (`init(jsonSchema:)`).
    public static let json: Grammar = {
        var rules = RuleSet()
        let pieces = JSONPieces(in: &rules)
        guard case .rule(let root) = pieces.object, let program = try? ProgramCompiler.compile(rules, root: root) else {
            preconditionFailure("The grammar of JSON is fixed and compiles.")
        }
        return Grammar(program)
    }()

    /// The number of elements, repetitions written out; what a grammar costs in memory grows with it.
    public var elementCount: Int { program.code.count }
}

extension Grammar: Hashable {
    /// Whether both compile to the same elements.
    public static func == (one: Grammar, other: Grammar) -> Bool {
        one.program === other.program
            || one.program.digest == other.program.digest && one.program.start == other.program.start
                && one.program.code == other.program.code && one.program.sets == other.program.sets
    }

    /// Hashes the digest of the elements.
    public func hash(into hasher: inout Hasher) { hasher.combine(program.digest) }
}
