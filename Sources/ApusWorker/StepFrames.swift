import ApusCore
import ApusEngine
import ApusModel
import ApusProtocol

/// Cuts what the engine brought into messages that fit into a frame.
enum StepFrames {
    /// Bytes of tokens in a message, by a cautious estimate: far enough below a frame for ends and histograms.
    private static let mostBytes = 600_000

    /// Tokens, and bytes of their texts and details, in each of several messages: even with a row a token, and one more token's
    /// text and details, it stays below `mostBytes`.
    private static let mostTokens = 12_000
    private static let mostContent = 180_000

    /// Ends in a message that carries no tokens; their messages are cut to a few hundred bytes.
    private static let mostEnds = 384

    /// The longest message of an end's error, in Unicode scalars: a character may have any number of them.
    private static let errorScalars = 200

    /// The messages for tokens and ends; the ends come last, so that each follows its tokens.
    static func cut(_ tokens: TokenColumns, _ ends: [AttemptEnd], template: Apus_V1_Step) -> [Apus_V1_Step] {
        var steps: [Apus_V1_Step] = []
        if tokens.estimatedBytes <= mostBytes {
            steps.append(template.carrying(tokens))
        } else {
            for part in tokens.split(tokens: mostTokens, bytes: mostContent) { steps.append(template.carrying(part)) }
        }
        var rest = ends[...]
        while !rest.isEmpty {
            // The last token message has room for a few ends; more of them get messages of their own.
            if steps.last.map({ !$0.ends.isEmpty }) ?? true { steps.append(template) }
            steps[steps.count - 1].ends = rest.prefix(mostEnds).map(wire)
            rest = rest.dropFirst(mostEnds)
        }
        return steps
    }

    private static func wire(_ end: AttemptEnd) -> Apus_V1_AttemptEnd {
        var wire = Apus_V1_AttemptEnd()
        wire.stream = end.stream.rawValue
        wire.epoch = end.epoch.rawValue
        wire.reason = end.reason.rawValue
        wire.errorCode = end.error?.code.rawValue ?? ""
        let message = (end.error?.message ?? "").unicodeScalars.prefix(errorScalars)
        wire.errorMessage = String(String.UnicodeScalarView(message))
        wire.promptTokens = UInt64(end.promptTokens)
        if let index = end.endIndex { wire.endIndex = UInt64(index) }
        if let summary = end.summary { wire.summary = Apus_V1_Summary(summary) }
        return wire
    }
}

extension TokenColumns {
    /// An upper bound of the encoded size: varints of 64-bit streams, 32-bit epochs, indexes below 2^21, 32-bit ids.
    var estimatedBytes: Int { rows * 23 + tokens * 8 + text.count + detailLengths.count * 3 + details.count }
}

extension Apus_V1_Step {
    /// This step with tokens.
    fileprivate func carrying(_ columns: TokenColumns) -> Apus_V1_Step {
        guard !columns.isEmpty else { return self }
        var step = self
        step.tokens = Apus_V1_TokenColumns(columns)
        return step
    }
}

extension Apus_V1_FirstToken {
    /// The wire form of where the time to a first token went.
    init(_ first: FirstToken) {
        self.init(first.stages)
        stream = first.stream.rawValue
        epoch = first.epoch.rawValue
    }
}
