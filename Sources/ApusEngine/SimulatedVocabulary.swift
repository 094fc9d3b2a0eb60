/// The words that the simulated engine speaks: a fixed table, each word with a leading space and at most 8 bytes.
///
/// Most are ASCII; some are not, so that every test of a path to the client also covers text of several bytes.
enum SimulatedVocabulary {
    /// One word's bytes, the first in the lowest 8 bits; a collection, so that appending it is one operation.
    struct Word: RandomAccessCollection, Sendable {
        var bits: UInt64
        var count: Int

        var startIndex: Int { 0 }
        var endIndex: Int { count }

        subscript(place: Int) -> UInt8 { UInt8(truncatingIfNeeded: bits >> UInt64(8 * place)) }
    }

    /// A power of two, so that drawing needs no division.
    static let words: [Word] = table.split(separator: "|").map { word in
        let bytes = Array(" \(word)".utf8)
        precondition(bytes.count <= 8, "a word of the simulated vocabulary is too long")
        return Word(bits: bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }, count: bytes.count)
    }

    /// The number of the token that ends an answer; it has no text.
    static let endOfGeneration = Int32(words.count)

    private static let table = """
        the|a|of|and|to|in|is|it|on|as|at|by|we|or|an|be|swift|wing|air|sky|sun|wind|rain|cloud|storm|light|dusk|dawn|\
        south|north|east|west|sea|coast|town|tower|roof|nest|egg|chick|flock|scream|glide|soar|dive|turn|sleep|wake|\
        feed|fly|land|never|always|ten|months|aloft|high|low|fast|far|été|où|雨燕|🐦
        """
}
