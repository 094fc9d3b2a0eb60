/// What a durable journal may take and how long it keeps.
public struct JournalSettings: Hashable, Sendable {
    /// How long a job is kept after its end.
    public var retention: Duration

    /// Bytes in use on disk beyond which the jobs that ended first are kept no longer.
    public var limitBytes: UInt64

    /// Tokens of a running stream in memory and in the log, at most; then they become a chunk.
    ///
    /// Longer chunks cost less a token.
    package var chunkTokens = 1_024

    /// The same where more streams run than `crowd`, so that memory stays bounded.
    package var crowdedChunkTokens = 256

    /// Running streams up to which chunks may be long.
    package var crowd = 2_048

    /// Bytes of a running stream's tokens in memory and in the log, about at most.
    package var chunkBytes = 64 << 10

    /// Tokens of a chunk, at most; one that is written at its stream's end may have more than `chunkTokens`.
    package var pieceTokens = 4_096

    /// Bytes of a chunk, about at most.
    package var pieceBytes = 1 << 20

    /// Rows of the log, about at most.
    package var logRows = 4_096

    /// Bytes of the log, about at most.
    package var logBytes = 16 << 20

    /// Rows of the log that are removed at once, or `trimBytes` of them.
    package var trimRows = 64

    /// Bytes of the log that are removed at once.
    package var trimBytes = 1 << 20

    /// Bytes of a page of a new database.
    ///
    /// Measured: against 4,096 a large turn costs a sixth less processor time, with fewer pages to write, and a small one as
    /// much; 16,384 costs small turns more.
    package var pageBytes = 8_192

    /// Bytes of SQLite's write-ahead log after which it is copied into the database: many pages of the journal's own log are gone
    /// before that and are copied once for many turns.
    package var walBytes = 64 << 20

    /// Describes what is allowed.
    public init(retention: Duration = .seconds(24 * 3_600), limitBytes: UInt64 = 4 << 30) {
        self.retention = retention
        self.limitBytes = limitBytes
    }
}
