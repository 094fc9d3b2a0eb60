import ApusModel
import ArgumentParser

/// What the model is given beside, or instead of, a prompt.
struct PromptOptions: ParsableArguments {
    @Option(help: ArgumentHelp("A system message before all others.", valueName: "text"))
    var system: String?

    @Option(
        name: .customLong("message"),
        parsing: .singleValue,
        help: ArgumentHelp(
            "A message of a chat before the prompt: user=…, assistant=…; may be given several times.",
            valueName: "role=text"
        ),
        transform: Self.message
    )
    var messages: [ChatMessage] = []

    @Flag(help: "Send the prompt as it is, without the model's chat template.")
    var raw = false

    /// Whether there is something to say without a prompt.
    var isChat: Bool { !messages.isEmpty }

    /// Puts the options and a prompt into a request: the prompt alone, or as the last message of a chat.
    func fill(_ request: inout GenerationRequest, prompt: String?) {
        request.isRaw = raw
        guard system != nil || !messages.isEmpty else {
            request.prompt = prompt ?? ""
            return
        }
        request.messages = (system.map { [ChatMessage(role: "system", content: $0)] } ?? []) + messages
        if let prompt { request.messages.append(.user(prompt)) }
    }

    /// Reads a role and what it says.
    ///
    /// - Throws: `ValidationError` that says what is expected.
    private static func message(_ argument: String) throws -> ChatMessage {
        let halves = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard halves.count == 2, !halves[0].isEmpty else {
            throw ValidationError("a message is a role, = and a text: --message \"assistant=Swifts.\".")
        }
        return ChatMessage(role: String(halves[0]), content: String(halves[1]))
    }
}
