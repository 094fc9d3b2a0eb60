@testable import ApusGrammar

extension GrammarState {
    /// The bytes of a range that may come next, rising, bounds aside.
    func nextBytes(in range: ClosedRange<UInt8> = 0...255) -> [UInt8] {
        var machine = StackMachine(grammar.program)
        let tops = load(into: &machine).tops
        return range.filter { byte in
            switch partialCharacter.step(byte) {
            case .scalar(let scalar): tops.contains { machine.reads(scalar, on: $0) }
            case .partial(_, let range): tops.contains { machine.reads(range, on: $0) }
            case .invalid: false
            }
        }
    }
}

/// Writes texts of a grammar by choosing among the bytes that it allows.
struct RandomWalk {
    private var random: SeededGenerator

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    /// A whole text of the grammar, or `nil` if it didn't come to its end.
    ///
    /// The longer the text, the more often bytes are chosen that close something.
    mutating func text(of grammar: Grammar) -> String? {
        guard var state = try? GrammarState(grammar) else { return nil }
        var bytes: [UInt8] = []
        while bytes.count < 3_000 {
            // Mostly ASCII, which has all that JSON is made of.
            var next = Int.random(in: 0..<8, using: &random) > 0 ? state.nextBytes(in: 0x20...0x7E) : []
            if next.isEmpty { next = state.nextBytes() }
            if state.isComplete, next.isEmpty || Int.random(in: 0..<3, using: &random) == 0 {
                return String(decoding: bytes, as: UTF8.self)
            }
            let closing = next.filter { Array("\"}]".utf8).contains($0) }
            let hurries = Int.random(in: 0..<80, using: &random) < 10 + bytes.count
            let pool = hurries && !closing.isEmpty ? closing : next
            guard let byte = pool.randomElement(using: &random) else { return nil }
            bytes.append(byte)
            guard state.accept(CollectionOfOne(byte)) else { return nil }
        }
        return nil
    }
}
