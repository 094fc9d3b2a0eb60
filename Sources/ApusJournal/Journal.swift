public import ApusModel

/// The coordinator's record of everything that it promised: what is accepted, leased, released and ended.
///
/// The coordinator commits one batch a turn, before anything of the turn can be seen; it reads tokens back for clients that are
/// behind and for workers that continue a stream. An implementation says in its documentation what survives what.
/// Isolation: owned by one coordinator and used on its thread only; calls block it, so they are short.
public protocol Journal: AnyObject {
    /// What `status` calls this kind of journal.
    var kind: String { get }

    /// Makes a batch durable, whole or not at all.
    ///
    /// - Parameter batch: Tokens first, then records; a stream's tokens follow those already committed without a gap.
    /// - Throws: `internalFailure` where the batch can't be made durable; nothing of it may then become visible.
    func commit(_ batch: JournalBatch) throws(ApusError)

    /// Reads tokens of a stream.
    ///
    /// - Parameters:
    ///   - stream: A stream that is accepted and not forgotten.
    ///   - range: Indexes below the number of committed tokens.
    ///   - columns: Receives the tokens as one row at its end.
    /// - Throws: `internalFailure` where the journal does not hold them or can't be read.
    func read(_ stream: StreamID, _ range: Range<Int>, into columns: inout TokenColumns) throws(ApusError)

    /// Reads the vocabulary numbers of a stream's tokens from index 0.
    ///
    /// - Parameters:
    ///   - stream: A stream that is accepted and not forgotten.
    ///   - count: How many; at most the number of committed tokens.
    /// - Returns: `count` numbers.
    /// - Throws: `internalFailure` where the journal does not hold them or can't be read.
    func history(of stream: StreamID, count: Int) throws(ApusError) -> [Int32]
}

/// What one turn of a coordinator makes durable.
public struct JournalBatch: Sendable {
    /// Released tokens, in the order of their acceptance.
    public var tokens: [TokenColumns]

    /// Facts, in order; they come after the tokens.
    public var records: [JournalRecord]

    /// Describes a batch.
    public init(tokens: [TokenColumns], records: [JournalRecord]) {
        self.tokens = tokens
        self.records = records
    }

    /// Whether there is nothing to commit.
    public var isEmpty: Bool { tokens.isEmpty && records.isEmpty }
}
