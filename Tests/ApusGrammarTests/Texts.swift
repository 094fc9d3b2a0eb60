import ApusGrammar

extension Grammar {
    /// Whether the text is a whole answer of the grammar.
    func matches(_ text: String) -> Bool {
        guard var state = try? GrammarState(self) else { return false }
        return state.accept(text.utf8) && state.isComplete
    }

    /// Whether the text may be the beginning of an answer.
    func begins(with text: String) -> Bool {
        guard var state = try? GrammarState(self) else { return false }
        return state.accept(text.utf8)
    }
}

/// The error of a grammar that is refused, or `nil`.
func refusal(of gbnf: String) -> GrammarError? {
    do {
        _ = try Grammar(gbnf: gbnf)
        return nil
    } catch {
        return error
    }
}

/// The error of a schema that is refused, or `nil`.
func refusal(ofSchema schema: String) -> GrammarError? {
    do {
        _ = try Grammar(jsonSchema: schema)
        return nil
    } catch {
        return error
    }
}

/// Goes on by these bytes; whether they were allowed.
func take(_ bytes: some Sequence<UInt8>, _ state: inout GrammarState) -> Bool { state.accept(bytes) }
