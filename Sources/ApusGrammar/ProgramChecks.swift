/// Finds rules that would never stop or never end, in time proportional to the grammar.
struct ProgramChecks {
    /// Instructions whose calls still name rules by number.
    let code: [Program.Instruction]
    /// Where each rule begins; a rule ends before the next one.
    let starts: [UInt32]
    /// The rule that an answer has to follow.
    let root: Int

    /// Refuses left recursion and rules that can never end.
    ///
    /// - Parameter failure: Makes the error for a rule and what is wrong with it.
    /// - Throws: `GrammarError` as `failure` makes it.
    func run(failure: (_ rule: Int, _ reason: String) -> GrammarError) throws(GrammarError) {
        let empty = spread(throughMatches: false)
        if let rule = cycle(in: empty.calls) {
            throw failure(
                rule,
                "calls itself before it has read a character (left recursion);"
                    + " begin with a character, or write the loop as a repetition."
            )
        }
        let ending = spread(throughMatches: true)
        if let rule = reachable().first(where: { !ending.finishes[$0] }) {
            throw failure(rule, "can never end: each of its ways calls it again; add an alternative that ends.")
        }
    }

    /// Follows all rules from their beginnings as far as they lead.
    ///
    /// - Parameter throughMatches: Whether characters may be read; if not, an end means that the rule can be empty.
    /// - Returns: Which rules come to their end, and which rules each one calls on the way there.
    private func spread(throughMatches: Bool) -> (finishes: [Bool], calls: [[Int]]) {
        let rules = ruleNumbers()
        var finishes = [Bool](repeating: false, count: starts.count)
        var calls = [[Int]](repeating: [], count: starts.count)
        /// Calls that go on once their rule is known to end.
        var waiting = [[Int]](repeating: [], count: starts.count)
        var seen = [Bool](repeating: false, count: code.count)
        var pending = starts.map(Int.init)
        for start in pending { seen[start] = true }
        while let place = pending.popLast() {
            var next: [Int] = []
            switch code[place].operation {
            case .match:
                if throughMatches { next = [place + 1] }
            case .fork:
                next = [Int(code[place].first), Int(code[place].second)]
            case .jump:
                next = [Int(code[place].first)]
            case .call:
                let callee = Int(code[place].first)
                calls[rules[place]].append(callee)
                if finishes[callee] { next = [place + 1] } else { waiting[callee].append(place + 1) }
            case .finish:
                guard !finishes[rules[place]] else { break }
                finishes[rules[place]] = true
                next = waiting[rules[place]]
            }
            for target in next where !seen[target] {
                seen[target] = true
                pending.append(target)
            }
        }
        return (finishes, calls)
    }

    /// For each instruction, the rule that it belongs to.
    private func ruleNumbers() -> [Int] {
        var numbers = [Int](repeating: 0, count: code.count)
        for (rule, start) in starts.enumerated() {
            let end = rule + 1 < starts.count ? Int(starts[rule + 1]) : code.count
            for place in Int(start)..<end { numbers[place] = rule }
        }
        return numbers
    }

    /// A rule on a cycle of the graph, or `nil`.
    private func cycle(in edges: [[Int]]) -> Int? {
        var isOpen = [Bool](repeating: false, count: edges.count)
        var isDone = isOpen
        for first in edges.indices where !isDone[first] {
            var path: [(rule: Int, edge: Int)] = [(first, 0)]
            isOpen[first] = true
            while let (rule, edge) = path.last {
                guard edge < edges[rule].count else {
                    isOpen[rule] = false
                    isDone[rule] = true
                    path.removeLast()
                    continue
                }
                path[path.count - 1].edge += 1
                let next = edges[rule][edge]
                if isOpen[next] { return next }
                if !isDone[next] {
                    isOpen[next] = true
                    path.append((next, 0))
                }
            }
        }
        return nil
    }

    /// The rules that the root calls, directly or not, in rising order.
    private func reachable() -> [Int] {
        var isReached = [Bool](repeating: false, count: starts.count)
        isReached[root] = true
        var pending = [root]
        while let rule = pending.popLast() {
            let end = rule + 1 < starts.count ? Int(starts[rule + 1]) : code.count
            for instruction in code[Int(starts[rule])..<end] where instruction.operation == .call {
                let callee = Int(instruction.first)
                guard !isReached[callee] else { continue }
                isReached[callee] = true
                pending.append(callee)
            }
        }
        return isReached.indices.filter { isReached[$0] }
    }
}
