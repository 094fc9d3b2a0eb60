/// Finds the first stop string in a stream of bytes and says how much text could still become one.
///
/// One Knuth-Morris-Pratt automaton a stop string, stepped a byte at a time: the match is the one whose last byte comes
/// first, and the longest of those that end there, however the bytes were cut into tokens.
struct StopMatcher: Sendable {
    /// One stop string's automaton.
    private struct Pattern {
        let bytes: [UInt8]
        /// For each length of a matched prefix, the length of its longest proper prefix that is also its suffix.
        let fallbacks: [Int]
        var matched = 0

        init(_ bytes: [UInt8]) {
            self.bytes = bytes
            var fallbacks = [0, 0]
            var length = 0
            for place in bytes.indices.dropFirst() {
                while length > 0, bytes[length] != bytes[place] { length = fallbacks[length] }
                if bytes[length] == bytes[place] { length += 1 }
                fallbacks.append(length)
            }
            self.fallbacks = fallbacks
        }

        /// Takes a byte; returns whether the string is now complete.
        mutating func accept(_ byte: UInt8) -> Bool {
            while matched > 0, bytes[matched] != byte { matched = fallbacks[matched] }
            if bytes[matched] == byte { matched += 1 }
            return matched == bytes.count
        }
    }

    private var patterns: [Pattern]

    /// Prepares to look for the texts; empty ones match nothing.
    init(_ stop: [String]) {
        patterns = stop.filter { !$0.isEmpty }.map { Pattern(Array($0.utf8)) }
    }

    /// Whether there is nothing to look for.
    var isEmpty: Bool { patterns.isEmpty }

    /// How many of the last bytes may be the beginning of a stop string.
    private(set) var heldBytes = 0

    /// Takes a byte of text.
    ///
    /// - Returns: The length of the stop string that this byte completes, or `nil`. After a match the matcher is done.
    mutating func accept(_ byte: UInt8) -> Int? {
        var match: Int?
        heldBytes = 0
        for place in patterns.indices {
            if patterns[place].accept(byte) { match = max(match ?? 0, patterns[place].matched) }
            heldBytes = max(heldBytes, patterns[place].matched)
        }
        return match
    }
}
