/// Why a grammar, a schema or a token can't be taken.
public struct GrammarError: Error, Hashable, Sendable {
    /// Where in the text of the grammar or the schema the cause is.
    public enum Place: Hashable, Sendable {
        /// A line and a column of the text, both counted from 1; columns count Unicode scalars.
        case text(line: Int, column: Int)
        /// A JSON pointer into the schema, such as `#/properties/age`.
        case path(String)
        /// The grammar as a whole, or a state of it.
        case whole
    }

    /// Where the cause is.
    public let place: Place

    /// What is wrong and what to do about it, without the place.
    public let reason: String

    /// Describes a failure.
    ///
    /// - Parameters:
    ///   - place: Where the cause is.
    ///   - reason: What is wrong and what to do about it.
    public init(_ place: Place, _ reason: String) {
        self.place = place
        self.reason = reason
    }

    /// The place and the reason in one line.
    public var message: String {
        switch place {
        case .text(let line, let column): "Line \(line), column \(column): \(reason)"
        case .path(let path): "\(GrammarError.shortened(path, to: 200)): \(reason)"
        case .whole: reason
        }
    }

    /// A name from a peer's text, fit for a message: in quotes, cut, and without control characters.
    static func quoted(_ name: String) -> String { "'\(shortened(name, to: 60))'" }

    private static func shortened(_ text: String, to length: Int) -> String {
        var kept = ""
        for (place, scalar) in text.unicodeScalars.enumerated() {
            if place == length { return kept + "..." }
            kept.unicodeScalars.append(scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) ? "?" : scalar)
        }
        return kept
    }
}

extension GrammarError: CustomStringConvertible {
    /// The message.
    public var description: String { message }
}
