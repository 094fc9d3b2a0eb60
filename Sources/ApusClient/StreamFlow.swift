/// How far one stream has come, in plain numbers: what every row of tokens reads and writes.
struct StreamFlow: Hashable, Sendable {
    /// Tokens that the stream may run ahead of its consumer.
    let window: UInt64

    /// The index of the next token.
    var next: UInt64

    /// The index up to which the consumer has consumed.
    var consumed: UInt64

    /// The index up to which tokens are granted.
    var limit: UInt64

    /// The coordinator's number of the stream on the present connection, where `isNumbered`.
    var number: UInt64 = 0

    /// Whether the coordinator has named the stream's number on the present connection.
    var isNumbered = false

    /// Whether a gap has been answered by an Attach that is not answered itself.
    var isReattaching = false

    /// Whether a gap has been answered by an Attach and no token has come since.
    var isResynchronised = false

    /// Whether the stream stands in the list of those whose credit is to be raised.
    var isCreditDue = false

    /// A stream from an index on, whose whole window is granted.
    init(from index: UInt64, window: UInt64) {
        self.window = window
        next = index
        consumed = index
        limit = index + window
    }

    /// Grants a window from the consumed index on; whoever calls this tells the coordinator.
    mutating func grant() {
        limit = consumed + window
        isCreditDue = false
    }
}
