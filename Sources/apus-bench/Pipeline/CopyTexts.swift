/// Prompts for the default model: such that make it copy what it read, and such that don't.
///
/// They are what a model of this size does well: it copies plain prose and code nearly word for word. Each ends where the copy
/// does, so that no loop behind it is measured.
enum CopyTexts {
    /// A prompt.
    struct Prompt: Sendable {
        /// What figures call it.
        var name: String
        /// The text, as it goes to the model.
        var text: String
        /// What ends the answer.
        var stop: [String] = []
    }

    /// An edit of one word, a correction, a function written again, one with a comment, a summary.
    static let copying = [
        Prompt(name: "edit", text: edit, stop: ["\n"]),
        Prompt(
            name: "correction",
            text: chat("Correct the spelling mistakes in this text and change nothing else:", beginning)
        ),
        Prompt(
            name: "code",
            text: chat("Write this Python function again, exactly as it is:", code),
            stop: ["\n```\n"]
        ),
        Prompt(
            name: "comment",
            text: chat("Add a comment to this Python function and keep everything else:", code),
            stop: ["\n```\n"]
        ),
        Prompt(name: "summary", text: summary, stop: ["\n"]),
    ]

    /// A story, an explanation, a letter, a recipe.
    static let ordinary = [
        Prompt(name: "story", text: chat("Tell me a short story about a lighthouse keeper and a swift.")),
        Prompt(name: "explanation", text: chat("Why is the sky blue, and why is it red in the evening?")),
        Prompt(name: "letter", text: chat("Write a letter to a friend about moving to another town.")),
        Prompt(name: "recipe", text: chat("How do I bake bread at home? Give me the steps.")),
    ]

    private static func chat(_ task: String, _ text: String = "") -> String {
        "<|im_start|>user\n\(task)\(text.isEmpty ? "" : "\n" + text)<|im_end|>\n<|im_start|>assistant\n"
    }

    private static let beginning = """
        The harbour was quiet before sunrise. Small boats lay in two rows along the stone wall, and their ropes creaked when \
        the tide came in. An old fisherman repaired his nets under a lamp, while his grandson counted the baskets that had to \
        go to the market.
        """

    private static let prose = """
        \(beginning) When the church bell rang five times, they pushed their boat into the water and rowed out past the \
        lighthouse, where the wind was stronger and the waves carried them towards the open sea.
        """

    private static let edit = """
        Original: The mill stood by the river for two hundred years. Every autumn the farmers brought their grain, and the \
        miller weighed it on the old iron scale.
        Edited (river becomes canal): The mill stood by the canal for two hundred years. Every autumn the farmers brought \
        their grain, and the miller weighed it on the old iron scale.

        Original: \(prose)
        Edited (lamp becomes lantern):
        """

    private static let summary = """
        Text: The mill stood by the river for two hundred years. Every autumn the farmers brought their grain, and the miller \
        weighed it on the old iron scale. The scale was always right.
        Summary in the words of the text: The mill stood by the river for two hundred years. Every autumn the farmers brought \
        their grain, and the miller weighed it on the old iron scale.

        Text: \(prose)
        Summary in the words of the text:
        """

    private static let code = """
        ```python
        def read_table(path, separator):
            rows = []
            with open(path) as file:
                header = file.readline().strip().split(separator)
                for line in file:
                    values = line.strip().split(separator)
                    if len(values) != len(header):
                        continue
                    row = dict(zip(header, values))
                    rows.append(row)
            return rows
        ```
        """
}
