/// One walk over a vocabulary, which finds the tokens that a grammar allows.
///
/// The walk turns the grammar into a table as it goes: for each state that it meets and each byte, the next state. Its cost
/// is counted in steps of the grammar, from nothing for each walk, so that the bound on it breaks in every process alike.
struct MaskWalk {
    private static let unknown: Int32 = -2
    private static let dead: Int32 = -1
    /// What a table row costs, in steps.
    private static let rowSteps = 32

    /// What one character does to a position, for those of its stacks that read it.
    private struct Reading {
        /// Bits of the stacks, for positions with at most 64.
        let stacks: UInt64
        let next: Int32
    }

    private let trie: VocabularyTrie
    private var machine: StackMachine
    /// Positions between characters, each once.
    private var positions: [StackMachine.Positions] = []
    private var positionNumbers: [StackMachine.Positions: Int32] = [:]
    private var readings: [[Reading]] = []
    /// States: a position and the bytes of a character that came since.
    private var states: [(position: Int32, partial: PartialCharacter)] = []
    private var stateNumbers: [UInt64: Int32] = [:]
    /// 256 next states for each state.
    private var rows: [Int32] = []
    private var extraSteps = 0

    private init(_ trie: VocabularyTrie, _ grammar: Grammar) {
        self.trie = trie
        machine = StackMachine(grammar.program)
    }

    /// Finds the tokens that may follow.
    ///
    /// - Parameters:
    ///   - state: Where the text stands.
    ///   - trie: The vocabulary.
    /// - Returns: The mask, and how many steps it took.
    /// - Throws: `GrammarError` when it would take more than `GrammarLimits.stepsPerMask`.
    static func allowed(
        after state: GrammarState,
        in trie: VocabularyTrie
    ) throws(GrammarError) -> (mask: TokenMask, steps: Int) {
        var mask = TokenMask(tokenCount: trie.tokenCount)
        var walk = MaskWalk(trie, state.grammar)
        let start = walk.state(walk.position(state.load(into: &walk.machine)), state.partialCharacter)
        try walk.run(from: start, into: &mask)
        if state.isComplete {
            for token in trie.endTokens { mask.insert(token) }
        }
        return (mask, walk.steps)
    }

    private var steps: Int { machine.steps + extraSteps }

    private mutating func run(from start: Int32, into mask: inout TokenMask) throws(GrammarError) {
        var levels = [Int32](repeating: start, count: trie.height)
        let count = trie.bytes.count
        var node = 0
        while node < count {
            let depth = Int(trie.depths[node])
            let byte = Int(trie.bytes[node])
            let place = Int(levels[depth]) << 8 | byte
            var next = rows[place]
            if next == Self.unknown {
                next = try follow(levels[depth], UInt8(byte))
                rows[place] = next
            }
            guard next != Self.dead else {
                node = Int(trie.ends[node])
                continue
            }
            levels[depth + 1] = next
            var token = trie.tokens[node]
            while token >= 0 {
                mask.insert(Int(token))
                token = trie.siblings[Int(token)]
            }
            node += 1
        }
    }

    /// The state after a byte.
    private mutating func follow(_ number: Int32, _ byte: UInt8) throws(GrammarError) -> Int32 {
        let (position, partial) = states[Int(number)]
        extraSteps += 1 + positions[Int(position)].tops.count
        guard steps <= GrammarLimits.stepsPerMask else {
            throw GrammarError(
                .whole,
                "The grammar needs more than \(GrammarLimits.stepsPerMask) steps to find the tokens that may follow;"
                    + " make it less ambiguous, so that fewer rules fit the same text."
            )
        }
        switch partial.step(byte) {
        case .invalid:
            return Self.dead
        case .partial(let next, let range):
            let isRead = positions[Int(position)].tops.contains { machine.reads(range, on: $0) }
            return isRead ? state(position, next) : Self.dead
        case .scalar(let scalar):
            let next = read(scalar, at: position)
            return next == Self.dead ? next : state(next, .none)
        }
    }

    /// The position after a character, or `dead`.
    private mutating func read(_ scalar: UInt32, at position: Int32) -> Int32 {
        var stacks: UInt64 = 0
        var readers: [UInt32] = []
        let tops = positions[Int(position)].tops
        for (place, stack) in tops.enumerated() where machine.reads(scalar, on: stack) {
            if place < 64 { stacks |= 1 << UInt64(place) }
            readers.append(stack)
        }
        if readers.isEmpty { return Self.dead }
        if tops.count <= 64, let known = readings[Int(position)].first(where: { $0.stacks == stacks }) {
            return known.next
        }
        // A broken bound makes the character one that isn't allowed, as in `GrammarState.accept`.
        let next = (try? machine.advance(readers)).map { $0.isDead ? Self.dead : self.position($0) } ?? Self.dead
        if tops.count <= 64 { readings[Int(position)].append(Reading(stacks: stacks, next: next)) }
        return next
    }

    private mutating func position(_ value: StackMachine.Positions) -> Int32 {
        if let known = positionNumbers[value] { return known }
        let number = Int32(positions.count)
        positions.append(value)
        readings.append([])
        positionNumbers[value] = number
        return number
    }

    private mutating func state(_ position: Int32, _ partial: PartialCharacter) -> Int32 {
        let key = UInt64(UInt32(bitPattern: position)) << 32 | UInt64(partial.code)
        if let known = stateNumbers[key] { return known }
        let number = Int32(states.count)
        states.append((position, partial))
        rows.append(contentsOf: repeatElement(Self.unknown, count: 256))
        stateNumbers[key] = number
        extraSteps += Self.rowSteps
        return number
    }
}
