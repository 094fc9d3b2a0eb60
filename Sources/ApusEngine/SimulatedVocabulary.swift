/// The words that the simulated engine speaks: a fixed table, each word with a leading space.
///
/// Most are ASCII; some are not, so that every test of a path to the client also covers text of several bytes.
enum SimulatedVocabulary {
    /// A word's bytes in a number, the first in the lowest 8 bits, so that reading a word counts no reference.
    struct Word: Sequence, IteratorProtocol {
        private var bytes: UInt64 = 0
        private(set) var underestimatedCount = 0

        /// Takes up to 8 bytes.
        init(_ text: some Sequence<UInt8>) {
            for byte in text {
                precondition(underestimatedCount < 8, "a word of the vocabulary is too long")
                bytes |= UInt64(byte) << UInt64(8 * underestimatedCount)
                underestimatedCount += 1
            }
        }

        mutating func next() -> UInt8? {
            guard underestimatedCount > 0 else { return nil }
            defer {
                bytes >>= 8
                underestimatedCount -= 1
            }
            return UInt8(truncatingIfNeeded: bytes)
        }
    }

    /// The words; a power of two of them, so that drawing needs no division.
    static let words = table.split(separator: "|").map { Word(" \($0)".utf8) }

    /// The number of the token that ends an answer; it has no text.
    static let endOfGeneration = Int32(words.count)

    private static let table = """
        the|a|of|and|to|in|is|it|on|as|at|by|we|or|an|be|swift|wing|air|sky|sun|wind|rain|cloud|storm|light|dusk|dawn|\
        south|north|east|west|sea|coast|town|tower|roof|nest|egg|chick|flock|scream|glide|soar|dive|turn|sleep|wake|\
        feed|fly|land|never|always|ten|months|aloft|high|low|fast|far|été|où|雨燕|🐦
        """
}
