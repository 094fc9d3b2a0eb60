import ApusModel
import ArgumentParser
import Foundation

/// A way to generate that has to give the same bytes whatever happens around it: a row of the table.
enum ExactnessMode: String, CaseIterable, ExpressibleByArgument {
    case greedy
    case sampled
    case penalties
    case grammar
    case schema
    case stop
    case choices

    /// What the table calls it.
    var title: String {
        switch self {
        case .greedy: "greedy"
        case .sampled: "T = 0.8, seeded"
        case .penalties: "penalties (repetition, frequency, presence, DRY)"
        case .grammar: "GBNF grammar"
        case .schema: "JSON schema"
        case .stop: "stop strings"
        case .choices: "n = 4"
        }
    }

    /// Texts of which each ends a stream; most end within one token and begin in the one before.
    static let stops = [" the ", ". ", ", ", "s a"]

    private static let colours = ["red", "green", "blue", "black", "white", "yellow"]

    private static let gbnf = #"root ::= ("- " [a-z] [a-z ]* "\n")+"#

    private static let jsonSchema = """
        {"type":"object","additionalProperties":false,"required":["name","colours","flags"],"properties":{\
        "name":{"type":"string","maxLength":16},\
        "colours":{"type":"array","minItems":5,"maxItems":8,"items":{"enum":["red","green","blue","black","white","yellow"]}},\
        "flags":{"type":"array","minItems":8,"maxItems":8,"items":{"type":"boolean"}}}}
        """

    /// The request; every mode has a prompt of its own, so that the first run finds nothing of it computed.
    ///
    /// - Parameter tokens: Tokens of the streams, or about as many; a JSON document takes what it takes.
    /// - Returns: The request, without speculation.
    func request(tokens: Int) -> GenerationRequest {
        var request = GenerationRequest(prompt: prompt, isRaw: true, maximumTokens: tokens, speculates: false)
        if self != .greedy, self != .stop {
            request.sampling = SamplingParameters(temperature: 0.8, seed: UInt64(prompt.utf8.count))
        }
        switch self {
        case .greedy, .sampled:
            request.ignoresEndOfGeneration = true
        case .penalties:
            request.ignoresEndOfGeneration = true
            request.sampling.repetitionPenalty = 1.2
            request.sampling.frequencyPenalty = 0.4
            request.sampling.presencePenalty = 0.3
            request.sampling.dry = DryParameters(multiplier: 0.8)
        case .grammar:
            request.constraint = .grammar(Self.gbnf)
            request.minimumTokens = tokens - 4
        case .schema:
            request.constraint = .jsonSchema(Self.jsonSchema)
            request.maximumTokens = 256
        case .stop:
            request.stop = Self.stops
            request.minimumTokens = tokens * 3 / 4
        case .choices:
            request.ignoresEndOfGeneration = true
            request.choices = 4
        }
        return request
    }

    /// A request whose output must be another, where the mode does anything; `nil` where the output alone shows it.
    func control(tokens: Int) -> GenerationRequest? {
        var request = request(tokens: tokens)
        switch self {
        case .penalties: request.sampling = SamplingParameters(temperature: 0.8, seed: request.sampling.seed)
        case .sampled: request.sampling.seed = request.sampling.seed.map { $0 + 1 }
        case .greedy, .grammar, .schema, .stop, .choices: return nil
        }
        return request
    }

    /// What is wrong with an output: equal bytes of a feature that isn't there would show nothing.
    ///
    /// - Returns: `nil` where the output is as the request says.
    func fault(in output: ExactnessOutput) -> String? {
        guard let first = output.choices.first else { return "no stream" }
        let text = String(decoding: first.utf8, as: UTF8.self)
        switch self {
        case .greedy, .sampled, .penalties:
            return nil
        case .grammar:
            let isList = text.split(separator: "\n").dropLast().allSatisfy { line in
                line.hasPrefix("- ") && line.dropFirst(2).allSatisfy { $0 == " " || ("a"..."z").contains($0) }
            }
            return isList && text.hasPrefix("- ") ? nil : "not a text of the grammar"
        case .schema:
            guard let object = try? JSONSerialization.jsonObject(with: Data(first.utf8)) as? [String: Any],
                let colours = object["colours"] as? [String], let flags = object["flags"] as? [Any]
            else { return "not a document of the schema" }
            let isValid =
                (5...8).contains(colours.count) && colours.allSatisfy(Self.colours.contains) && flags.count == 8
            return isValid ? nil : "not a document of the schema"
        case .stop:
            guard first.reason == .stop else { return "ended by \(first.reason)" }
            return Self.stops.contains { text.hasSuffix($0) } ? "a stop string came out" : nil
        case .choices:
            return Set(output.choices.map(\.ids)).count == 4 ? nil : "the choices are not four"
        }
    }

    private var prompt: String {
        let (opening, task) = texts
        return
            "<|im_start|>user\n\(opening)\nThe swift spends most of its life in the air. It eats, drinks and sleeps on the "
            + "wing, crosses the sea twice a year and comes back to the same roof. People in old towns wait for the day in May "
            + "when the first of them race around the church tower, and they are sorry in August, when the sky is silent "
            + "again.\n\(task)<|im_end|>\n<|im_start|>assistant\n"
    }

    private var texts: (opening: String, task: String) {
        switch self {
        case .greedy: ("A text about birds follows.", "Repeat the text and then go on with it.")
        case .sampled: ("Read this first.", "Write what happens next year.")
        case .penalties: ("Here is a note from a diary.", "Write another note of the same kind.")
        case .grammar: ("Look at these lines.", "List what they are about.")
        case .schema: ("Think of a bird.", "Describe the bird as JSON with a name, colours and flags.")
        case .stop: ("These lines were found on a wall.", "Explain them to a child.")
        case .choices: ("Somebody told me this.", "What would you answer?")
        }
    }
}
