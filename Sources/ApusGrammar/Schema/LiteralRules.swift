/// One of several fixed texts, as rules that share what the texts begin with.
///
/// Without sharing, each text would be an alternative that a state follows from the first quote on.
struct LiteralRules {
    /// Makes the rules.
    ///
    /// - Parameters:
    ///   - texts: The texts, at least one; equal ones count once.
    ///   - rules: Where the rules go.
    ///   - place: Where the texts stand in the schema.
    /// - Returns: An expression that stands for them.
    static func oneOf(
        _ texts: [[UInt32]],
        in rules: inout RuleSet,
        at place: GrammarError.Place
    ) -> Expression {
        let sorted = Set(texts).sorted { $0.lexicographicallyPrecedes($1) }
        guard sorted.count > 1 else { return .text(sorted.first ?? []) }
        let root = rules.declare("literal", at: place)
        var pending = [(rule: root, range: sorted.indices, depth: 0)]
        while let (rule, range, depth) = pending.popLast() {
            var ways: [Expression] = []
            var start = range.lowerBound
            if sorted[start].count == depth {
                ways.append(.nothing)
                start += 1
            }
            while start < range.upperBound {
                let first = sorted[start][depth]
                var end = start + 1
                while end < range.upperBound, sorted[end][depth] == first { end += 1 }
                var shared = depth + 1
                // What the first and the last of sorted texts share, all between them share.
                let shortest = min(sorted[start].count, sorted[end - 1].count)
                while shared < shortest, sorted[start][shared] == sorted[end - 1][shared] { shared += 1 }
                let run = Expression.text(Array(sorted[start][depth..<shared]))
                if end == start + 1 {
                    ways.append(run)
                } else {
                    let below = rules.declare("literal", at: place)
                    pending.append((below, start..<end, shared))
                    ways.append(.sequence([run, .rule(below)]))
                }
                start = end
            }
            rules.define(rule, as: ways.count == 1 ? ways[0] : .choice(ways))
        }
        return .rule(root)
    }

    /// A JSON string, with its quotes, that is none of these texts.
    ///
    /// Its characters all stand for themselves, so that no escape can spell one of the texts.
    ///
    /// - Parameters:
    ///   - texts: What the string may not be.
    ///   - rules: Where the rules go.
    ///   - place: Where the texts stand in the schema.
    /// - Returns: An expression that stands for it.
    static func stringBeside(
        _ texts: [String],
        in rules: inout RuleSet,
        at place: GrammarError.Place
    ) -> Expression {
        let plain = JSONPieces.plain
        let sorted = Set(texts.map { $0.unicodeScalars.map(\.value) })
            .filter { $0.allSatisfy(plain.contains) }
            .sorted { $0.lexicographicallyPrecedes($1) }
        let rest = rules.add(
            "rest of a key",
            at: place,
            as: .sequence([.repeated(.oneOf(plain), minimum: 0, maximum: nil), .text("\"")])
        )
        guard !sorted.isEmpty else { return .sequence([.text("\""), rest]) }
        let root = rules.declare("other key", at: place)
        var pending = [(rule: root, range: sorted.indices, depth: 0)]
        while let (rule, range, depth) = pending.popLast() {
            var ways: [Expression] = []
            var start = range.lowerBound
            if sorted[start].count == depth { start += 1 } else { ways.append(.text("\"")) }
            var next: [ClosedRange<UInt32>] = []
            while start < range.upperBound {
                let first = sorted[start][depth]
                var end = start + 1
                while end < range.upperBound, sorted[end][depth] == first { end += 1 }
                next.append(first...first)
                let below = rules.declare("other key", at: place)
                pending.append((below, start..<end, depth + 1))
                ways.append(.sequence([.text([first]), .rule(below)]))
                start = end
            }
            let free = plain.subtracting(CharacterRanges(next))
            if !free.isEmpty { ways.append(.sequence([.oneOf(free), rest])) }
            rules.define(rule, as: .choice(ways))
        }
        return .sequence([.text("\""), .rule(root)])
    }
}
