/// The words that the simulated engine speaks: a fixed table, each word with a leading space.
///
/// Most are ASCII; some are not, so that every test of a path to the client also covers text of several bytes.
enum SimulatedVocabulary {
    /// The words' bytes; a power of two of them, so that drawing needs no division.
    static let words: [[UInt8]] = table.split(separator: "|").map { Array(" \($0)".utf8) }

    /// The number of the token that ends an answer; it has no text.
    static let endOfGeneration = Int32(words.count)

    private static let table = """
        the|a|of|and|to|in|is|it|on|as|at|by|we|or|an|be|swift|wing|air|sky|sun|wind|rain|cloud|storm|light|dusk|dawn|\
        south|north|east|west|sea|coast|town|tower|roof|nest|egg|chick|flock|scream|glide|soar|dive|turn|sleep|wake|\
        feed|fly|land|never|always|ten|months|aloft|high|low|fast|far|été|où|雨燕|🐦
        """
}
