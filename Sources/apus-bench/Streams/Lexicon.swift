import ApusEngine

/// Makes prompts: texts of common words, each one token to most vocabularies, another for each seed.
enum Lexicon {
    private static let words = [
        "time", "water", "house", "world", "school", "family", "night", "story", "money", "state", "room", "mother",
        "area", "book", "eye", "job", "word", "business", "side", "head", "service", "friend", "father", "power",
        "hour", "game", "line", "end", "member", "law", "car", "city", "community", "name", "president", "team",
        "minute", "idea", "kid", "body", "information", "back", "parent", "face", "others", "level", "office", "door",
        "health", "person", "art", "war", "history", "party", "result", "change", "morning", "reason", "research",
        "girl", "moment", "air", "teacher", "force",
    ]

    /// A text that shares no beginning with those of other seeds.
    ///
    /// - Parameters:
    ///   - count: Its words.
    ///   - seed: What it is drawn from.
    /// - Returns: The words, with spaces between.
    static func text(words count: Int, seed: UInt64) -> String {
        // The seed in words: two texts differ within their first four.
        var digits: [String] = []
        var rest = seed
        for _ in 0..<4 {
            digits.append(words[Int(rest % UInt64(words.count))])
            rest /= UInt64(words.count)
        }
        let drawn = (0..<max(0, count - digits.count)).map { place in
            words[Int(CounterRandom.bits(seed: seed, index: UInt64(place)) % UInt64(words.count))]
        }
        return (digits + drawn).prefix(count).joined(separator: " ")
    }

    /// A question of 30 words, another for each seed.
    static func question(seed: UInt64) -> String {
        let topic = text(words: 12, seed: seed)
        return "Please write a long and friendly story for children in which all of these words have a part: \(topic)."
    }
}
