public import ApusModel
import ApusProtocol

/// Consecutive tokens of one stream.
///
/// A batch is a view of the message that it came in: making and passing one copies no token. It may be kept, which keeps
/// its message alive; a consumer that keeps tokens for long copies them out.
public struct TokenBatch: Sendable {
    private let message: TokenMessage
    private let tokens: Range<Int>
    private let bytes: Range<Int>

    /// The index of the first token in its stream.
    public let firstIndex: Int

    /// Views a run of tokens in a message.
    ///
    /// - Parameters:
    ///   - message: The message; its columns are valid.
    ///   - firstIndex: The stream's index of the first token.
    ///   - tokens: Where the run stands in `ids` and `textLengths`.
    ///   - bytes: Where the run stands in `text`.
    init(message: TokenMessage, firstIndex: Int, tokens: Range<Int>, bytes: Range<Int>) {
        self.message = message
        self.firstIndex = firstIndex
        self.tokens = tokens
        self.bytes = bytes
    }

    /// The number of tokens, 1 or more.
    public var count: Int { tokens.count }

    /// The index after the last token.
    public var endIndex: Int { firstIndex + tokens.count }

    /// The vocabulary numbers, one a token.
    public var ids: ArraySlice<Int32> { message.columns.ids[tokens] }

    /// The lengths in bytes of the tokens' texts, one a token.
    public var textLengths: ArraySlice<UInt32> { message.columns.textLengths[tokens] }

    /// The tokens' texts in UTF-8, back to back.
    public var utf8: ArraySlice<UInt8> { message.columns.text[bytes] }

    /// The tokens' texts, joined.
    public var text: String { String(decoding: utf8, as: UTF8.self) }

    /// Whether tokens have log probabilities, as far as they were asked for.
    public var hasDetails: Bool { message.columns.hasDetails }

    /// A token's log probability and alternatives.
    ///
    /// They are read at each call; whoever doesn't call it pays nothing.
    ///
    /// - Parameter offset: The token's place in the batch, from 0.
    /// - Returns: The details; `nil` where the job asked for none.
    public func detail(at offset: Int) -> TokenDetail? {
        precondition((0..<count).contains(offset), "there is no token \(offset) in a batch of \(count)")
        return TokenDetail(encoded: message.encodedDetail(at: tokens.lowerBound + offset))
    }
}

extension TokenBatch {
    /// Adds the tokens' details to columns that the tokens were added to as the last ones.
    fileprivate func appendDetails(to columns: inout TokenColumns) {
        columns.appendDetails(of: message.columns, tokens: tokens, bytes: message.detailRange(of: tokens))
    }
}

extension TokenBatch: Sequence {
    /// Reads a batch token by token.
    public struct Iterator: IteratorProtocol, Sendable {
        private let batch: TokenBatch
        private var place: Int
        private var offset: Int

        /// Starts before the first token.
        init(_ batch: TokenBatch) {
            self.batch = batch
            place = batch.tokens.lowerBound
            offset = batch.bytes.lowerBound
        }

        /// The next token.
        ///
        /// - Returns: The token; `nil` after the last.
        public mutating func next() -> Token? {
            guard place < batch.tokens.upperBound else { return nil }
            let columns = batch.message.columns
            let end = offset + Int(columns.textLengths[place])
            defer {
                place += 1
                offset = end
            }
            return Token(
                index: batch.firstIndex + (place - batch.tokens.lowerBound),
                id: TokenID(rawValue: columns.ids[place]),
                text: String(decoding: columns.text[offset..<end], as: UTF8.self),
                encodedDetail: batch.message.encodedDetail(at: place)
            )
        }
    }

    /// Reads the tokens in order.
    public func makeIterator() -> Iterator { Iterator(self) }

    /// The number of tokens.
    public var underestimatedCount: Int { count }
}

/// The tokens of one message, shared by the batches that view it.
final class TokenMessage: Sendable {
    /// The message's columns; valid.
    let columns: TokenColumns

    /// Where each token's details end; empty where no token has any.
    private let detailEnds: [Int]

    /// Shares columns; batches are made of those only that `TokenColumns.isValid` approved.
    init(_ columns: TokenColumns) {
        self.columns = columns
        var ends: [Int] = []
        if columns.hasDetails {
            ends.reserveCapacity(columns.detailLengths.count)
            var end = 0
            for length in columns.detailLengths {
                end += Int(length)
                ends.append(end)
            }
        }
        detailEnds = ends
    }

    /// The details of a token as they came; empty where it has none.
    func encodedDetail(at token: Int) -> ArraySlice<UInt8> {
        if detailEnds.isEmpty { return [] }
        return columns.details[(token == 0 ? 0 : detailEnds[token - 1])..<detailEnds[token]]
    }

    /// Where the details of some tokens stand in `details`.
    func detailRange(of tokens: Range<Int>) -> Range<Int> {
        if detailEnds.isEmpty || tokens.isEmpty { return 0..<0 }
        return (tokens.lowerBound == 0 ? 0 : detailEnds[tokens.lowerBound - 1])..<detailEnds[tokens.upperBound - 1]
    }
}

/// Tokens of one stream that wait for their consumer, and the place up to which they are read.
struct BufferedRun: Sendable {
    /// The index of the first token.
    private(set) var firstIndex = 0

    private var columns = TokenColumns()

    /// Whether there is no token.
    var isEmpty: Bool { columns.ids.isEmpty }

    /// The index after the last token.
    var endIndex: Int { firstIndex + columns.ids.count }

    /// Appends a batch; it starts where the run ends, or the run is empty.
    mutating func append(_ batch: TokenBatch) {
        if isEmpty { firstIndex = batch.firstIndex }
        columns.ids.append(contentsOf: batch.ids)
        columns.textLengths.append(contentsOf: batch.textLengths)
        columns.text.append(contentsOf: batch.utf8)
        if columns.hasDetails || batch.hasDetails { batch.appendDetails(to: &columns) }
    }

    /// Gives the run away as one batch and starts an empty one.
    mutating func take() -> TokenBatch {
        let taken = columns
        columns = TokenColumns()
        return TokenBatch(
            message: TokenMessage(taken),
            firstIndex: firstIndex,
            tokens: 0..<taken.ids.count,
            bytes: 0..<taken.text.count
        )
    }
}
