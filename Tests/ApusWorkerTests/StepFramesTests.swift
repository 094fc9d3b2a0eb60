import ApusCore
import ApusModel
import ApusProtocol
import Testing

@testable import ApusWorker

@Suite("Step frames")
struct StepFramesTests {
    private func columns(rows: Int, tokensPerRow: Int, textPerToken: Int, detail: Int) -> TokenColumns {
        var columns = TokenColumns()
        for row in 0..<rows {
            columns.streams.append(.max - UInt64(row))
            columns.epochs.append(.max)
            columns.firstIndexes.append(UInt64(Limits.maximumTokens - tokensPerRow))
            columns.counts.append(UInt32(tokensPerRow))
            for token in 0..<tokensPerRow {
                columns.ids.append(.max - Int32(token))
                columns.textLengths.append(UInt32(textPerToken))
                columns.text += [UInt8](repeating: 97, count: textPerToken)
                columns.appendDetails(
                    [UInt32(detail)],
                    ArraySlice(repeating: UInt8(token % 251), count: detail),
                    count: 1
                )
            }
        }
        return columns
    }

    @Test(
        "Every message fits into a frame and nothing is lost",
        arguments: [
            (16_384, 1, 12, 0), (100, 1_024, 9, 0), (3, 1_024, 300, 0), (40_000, 1, 0, 0), (1, 1, 1, 0),
            (16_384, 1, 12, 40), (2, 1_024, 5, 900), (1, 200, Limits.tokenTextBytes, Limits.tokenDetailBytes),
        ]
    )
    func split(rows: Int, tokens: Int, text: Int, detail: Int) throws {
        let columns = columns(rows: rows, tokensPerRow: tokens, textPerToken: text, detail: detail)
        let ends = (0..<1_500).map { stream in
            AttemptEnd(
                stream: StreamID(rawValue: UInt64(stream)),
                epoch: Epoch(rawValue: 1),
                reason: .failed,
                error: ApusError(.engineFailure, String(repeating: "🐦", count: 5_000)),
                promptTokens: Limits.promptTokens,
                endIndex: Limits.maximumTokens
            )
        }
        let steps = StepFrames.cut(columns, ends, template: Apus_V1_Step())
        let last = UInt64(Limits.maximumTokens)
        let wholeStreams = zip(columns.streams, columns.counts).flatMap { Array(repeating: $0, count: Int($1)) }
        var joined = TokenColumns()
        for step in steps {
            #expect(try EnvelopeCodec.encode(Apus_V1_Envelope(.step(step))).count <= Limits.frameBytes)
            let piece = TokenColumns(step.tokens)
            #expect(piece.isValid)
            joined.streams += piece.streams
            joined.epochs += piece.epochs
            joined.firstIndexes += piece.firstIndexes
            joined.counts += piece.counts
            joined.ids += piece.ids
            joined.textLengths += piece.textLengths
            joined.text += piece.text
            joined.detailLengths += piece.detailLengths
            joined.details += piece.details
            // A row may be cut; its parts follow each other.
            #expect(zip(piece.firstIndexes, piece.counts).allSatisfy { $0 + UInt64($1) <= last })
        }
        #expect(joined.ids == columns.ids)
        #expect(joined.textLengths == columns.textLengths)
        #expect(joined.text == columns.text)
        #expect(joined.detailLengths == columns.detailLengths)
        #expect(joined.details == columns.details)
        #expect(zip(joined.streams, joined.counts).flatMap { Array(repeating: $0, count: Int($1)) } == wholeStreams)
        #expect(joined.epochs.allSatisfy { $0 == .max } && joined.epochs.count == joined.rows)
        #expect(steps.flatMap(\.ends).map(\.stream) == (0..<1_500).map { UInt64($0) })
        #expect(steps.flatMap(\.ends).allSatisfy { $0.hasEndIndex && $0.endIndex == UInt64(Limits.maximumTokens) })
        let lastTokens = steps.lastIndex { $0.hasTokens } ?? 0
        let firstEnds = steps.firstIndex { !$0.ends.isEmpty } ?? 0
        #expect(firstEnds >= lastTokens)
    }

    @Test("An error's message is cut by its scalars, however many of them make up a character")
    func longMessages() throws {
        let end = AttemptEnd(
            stream: StreamID(rawValue: 1),
            epoch: Epoch(rawValue: 1),
            reason: .failed,
            error: ApusError(.engineFailure, "e" + String(repeating: "\u{301}", count: 50_000)),
            promptTokens: 7
        )
        for step in StepFrames.cut(TokenColumns(), Array(repeating: end, count: 512), template: Apus_V1_Step()) {
            #expect(try EnvelopeCodec.encode(Apus_V1_Envelope(.step(step))).count <= Limits.frameBytes)
            #expect(step.ends.allSatisfy { (1...1_000).contains($0.errorMessage.unicodeScalars.count) })
        }
    }

    @Test("Nothing makes no message")
    func nothing() {
        #expect(StepFrames.cut(TokenColumns(), [], template: Apus_V1_Step()).allSatisfy { !$0.hasTokens })
    }
}
