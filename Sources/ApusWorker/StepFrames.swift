import ApusCore
import ApusEngine
import ApusModel
import ApusProtocol

/// Cuts what the engine brought into messages that fit into a frame.
enum StepFrames {
    /// Bytes of tokens in a message, by a cautious estimate: far enough below a frame for ends and histograms.
    private static let mostBytes = 600_000

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
            var cutter = RowCutter(tokens)
            while let piece = cutter.next(mostBytes: mostBytes) { steps.append(template.carrying(piece)) }
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
        return wire
    }
}

/// Walks over columns and takes as many rows at a time as fit.
private struct RowCutter {
    private let columns: TokenColumns
    private var row = 0
    private var token = 0
    private var byte = 0

    init(_ columns: TokenColumns) {
        self.columns = columns
    }

    mutating func next(mostBytes: Int) -> TokenColumns? {
        guard row < columns.rows else { return nil }
        let (firstRow, firstToken, firstByte) = (row, token, byte)
        var size = 0
        while row < columns.rows {
            let tokens = Int(columns.counts[row])
            let bytes = columns.textLengths[token..<token + tokens].reduce(0) { $0 + Int($1) }
            let rowSize = TokenColumns.estimatedBytes(rows: 1, tokens: tokens, text: bytes)
            // One row at least: a row is far smaller than a frame.
            if size > 0, size + rowSize > mostBytes { break }
            size += rowSize
            row += 1
            token += tokens
            byte += bytes
        }
        return TokenColumns(
            streams: Array(columns.streams[firstRow..<row]),
            epochs: Array(columns.epochs[firstRow..<row]),
            firstIndexes: Array(columns.firstIndexes[firstRow..<row]),
            counts: Array(columns.counts[firstRow..<row]),
            ids: Array(columns.ids[firstToken..<token]),
            textLengths: Array(columns.textLengths[firstToken..<token]),
            text: Array(columns.text[firstByte..<byte])
        )
    }
}

extension TokenColumns {
    /// An upper bound of the encoded size: varints of 64-bit streams, 32-bit epochs, indexes below 2^21, 32-bit ids.
    static func estimatedBytes(rows: Int, tokens: Int, text: Int) -> Int { rows * 23 + tokens * 8 + text }

    /// An upper bound of the encoded size.
    var estimatedBytes: Int { Self.estimatedBytes(rows: rows, tokens: tokens, text: text.count) }
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
