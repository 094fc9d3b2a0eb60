import ApusModel

/// How often tokens occurred: within the last tokens of prompt and output, and in the output.
///
/// Tokens that count for nothing any more have no entry, so that a draw looks only at those whose logits change.
struct RepetitionLedger {
    /// A token and how often it occurred.
    struct Entry {
        /// The token.
        var token: TokenID

        /// Its occurrences within the window.
        var recent = 0

        /// Its occurrences in the output.
        var generated = 0
    }

    /// The tokens that occurred, each once; their order depends on the tokens accepted alone.
    private(set) var entries: [Entry] = []

    private let window: Int
    private let countsOutput: Bool
    private var recent: [TokenID] = []
    private var oldest = 0
    private var places: [TokenID: Int] = [:]

    /// A ledger without tokens.
    ///
    /// - Parameters:
    ///   - window: How many tokens back occurrences count as recent; 0 counts none.
    ///   - countsOutput: Whether occurrences in the output are counted.
    init(window: Int, countsOutput: Bool) {
        self.window = window
        self.countsOutput = countsOutput
    }

    /// Counts a token.
    ///
    /// - Parameters:
    ///   - token: The token.
    ///   - isOutput: Whether it belongs to the output.
    mutating func accept(_ token: TokenID, isOutput: Bool) {
        if window > 0 {
            count(token) { $0.recent += 1 }
            if recent.count < window {
                recent.append(token)
            } else {
                let leaving = recent[oldest]
                recent[oldest] = token
                oldest = oldest + 1 == window ? 0 : oldest + 1
                count(leaving) { $0.recent -= 1 }
            }
        }
        if isOutput, countsOutput { count(token) { $0.generated += 1 } }
    }

    private mutating func count(_ token: TokenID, _ change: (inout Entry) -> Void) {
        guard let place = places[token] else {
            places[token] = entries.count
            var entry = Entry(token: token)
            change(&entry)
            entries.append(entry)
            return
        }
        change(&entries[place])
        guard entries[place].recent == 0, entries[place].generated == 0 else { return }
        places[token] = nil
        let last = entries.removeLast()
        guard last.token != token else { return }
        entries[place] = last
        places[last.token] = place
    }
}
