import ApusModel
import ArgumentParser

/// What the output has to be.
struct ConstraintOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The output is a text of the GBNF grammar in this file.", valueName: "file"))
    var grammarFile: String?

    @Option(help: ArgumentHelp("The output is JSON that fits the schema in this file.", valueName: "file"))
    var jsonSchemaFile: String?

    @Flag(name: .customLong("json"), help: "The output is a JSON object.")
    var isObject = false

    func validate() throws {
        if [grammarFile != nil, jsonSchemaFile != nil, isObject].count(where: { $0 }) > 1 {
            throw ValidationError("--grammar-file, --json-schema-file and --json exclude each other.")
        }
    }

    /// The constraint; reads its file.
    ///
    /// - Returns: `nil` if there is none.
    /// - Throws: `invalidRequest` for a file that can't be read, is too long or is no text.
    func constraint() throws(ApusError) -> OutputConstraint? {
        if let grammarFile { return .grammar(try Self.text(of: grammarFile)) }
        if let jsonSchemaFile { return .jsonSchema(try Self.text(of: jsonSchemaFile)) }
        return isObject ? .jsonObject : nil
    }

    private static func text(of file: String) throws(ApusError) -> String {
        let text = try InputText.read(file: file, limit: Limits.constraintBytes)
        if text.isEmpty { throw ApusError(.invalidRequest, "\(file) is empty") }
        return text
    }
}
