public import ApusGrammar

/// What an output has to be; every token is drawn from those that keep it possible.
public enum OutputConstraint: Hashable, Sendable {
    /// A text of a grammar in GBNF, llama.cpp's notation.
    case grammar(String)

    /// A JSON document that a JSON schema, itself JSON text, describes.
    case jsonSchema(String)

    /// Any JSON object.
    case jsonObject

    /// Checks the size; whether the text means something is checked where the grammar is made.
    ///
    /// - Throws: `invalidRequest` for an empty text or one over the limit.
    package func validate() throws(ApusError) {
        let (name, text): (String, String)
        switch self {
        case .grammar(let source): (name, text) = ("the grammar", source)
        case .jsonSchema(let source): (name, text) = ("the JSON schema", source)
        case .jsonObject: return
        }
        guard (1...Limits.constraintBytes).contains(text.utf8.count) else {
            throw ApusError(
                .invalidRequest,
                "\(name) has \(text.utf8.count) bytes; it must have between 1 and \(Limits.constraintBytes)"
            )
        }
    }

    /// Makes the grammar that outputs are drawn by.
    ///
    /// A hostile text takes some tens of milliseconds; an ordinary one well under one.
    ///
    /// - Throws: `invalidRequest` with the place in the text and what to do about it.
    public func grammar() throws(ApusError) -> Grammar {
        let name =
            switch self {
            case .grammar: "the grammar"
            case .jsonSchema: "the JSON schema"
            case .jsonObject: "the JSON grammar"
            }
        do throws(GrammarError) {
            let grammar =
                switch self {
                case .grammar(let text): try Grammar(gbnf: text)
                case .jsonSchema(let text): try Grammar(jsonSchema: text)
                case .jsonObject: Grammar.json
                }
            // Some grammars are found to be too large only where they begin.
            _ = try GrammarState(grammar)
            return grammar
        } catch {
            throw ApusError(.invalidRequest, "\(name) can't be used: \(error.message)")
        }
    }
}
