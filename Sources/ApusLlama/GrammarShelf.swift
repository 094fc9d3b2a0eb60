import ApusGrammar
import ApusModel

/// The grammars that streams were constrained by of late, so that each is made once.
struct GrammarShelf {
    /// Grammars that are kept.
    private static let capacity = 64

    private var shelf: [(constraint: OutputConstraint, grammar: Grammar)] = []

    /// The grammar of a constraint.
    ///
    /// - Throws: `invalidRequest` where there is none.
    mutating func grammar(of constraint: OutputConstraint) throws(ApusError) -> Grammar {
        if let place = shelf.firstIndex(where: { $0.constraint == constraint }) {
            let found = shelf.remove(at: place)
            shelf.append(found)
            return found.grammar
        }
        let grammar = try constraint.grammar()
        if shelf.count == Self.capacity { shelf.removeFirst() }
        shelf.append((constraint, grammar))
        return grammar
    }
}
