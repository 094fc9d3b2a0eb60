import ApusModel

/// Tokens between the connection's thread and one consuming task: who waits for whom, and which credit comes back.
///
/// Bounded by the stream's credit: the coordinator sends no more than the window beyond what is taken here. What is taken
/// counts as consumed.
struct TokenBufferMachine<Waiter: Sendable>: Sendable {
    /// What a consumer gets.
    enum Next: Sendable {
        /// All tokens that came since the last time.
        case batch(TokenBatch)
        /// The stream's end; told once.
        case finished(StreamEnd)
        /// The stream can't be followed; told once.
        case failed(ApusError)
        /// Nothing more, ever.
        case nothingMore
        /// Nothing yet.
        case nothingYet
    }

    private enum Ending: Sendable {
        case finished(StreamEnd)
        case failed(ApusError)
    }

    private let window: Int
    private var run = BufferedRun()
    private var ending: Ending?
    private var isEndingTaken = false
    private var waiter: Waiter?
    private var taken: Int
    private var reported: Int

    /// An empty buffer.
    ///
    /// - Parameters:
    ///   - firstIndex: The index of the first token that will come.
    ///   - window: Tokens that the stream may run ahead of its consumer.
    init(firstIndex: Int, window: Int) {
        self.window = window
        taken = firstIndex
        reported = firstIndex
    }

    /// The stream's end, once it has come.
    var end: StreamEnd? {
        if case .finished(let end) = ending { end } else { nil }
    }

    /// Whether the stream has come to an end of any kind.
    var isOver: Bool { ending != nil }

    /// Tokens came.
    ///
    /// - Returns: The consumer that waited for them, to be resumed, and the index up to which tokens are consumed.
    mutating func received(_ batch: TokenBatch) -> (waiter: Waiter?, consumed: Int) {
        if ending == nil { run.append(batch) }
        reported = taken
        return (releaseWaiter(), taken)
    }

    /// The stream ended.
    ///
    /// - Returns: The consumer that waited, to be resumed.
    mutating func finished(_ end: StreamEnd) -> Waiter? {
        if ending == nil { ending = .finished(end) }
        return releaseWaiter()
    }

    /// The stream can't be followed.
    ///
    /// Tokens that came before stay readable.
    ///
    /// - Returns: The consumer that waited, to be resumed.
    mutating func failed(_ error: ApusError) -> Waiter? {
        if ending == nil { ending = .failed(error) }
        return releaseWaiter()
    }

    /// The consuming task was cancelled: it hears that next, whatever has come.
    ///
    /// - Returns: The consumer that waited, to be resumed, and whether the stream was still open.
    mutating func cancelled() -> (waiter: Waiter?, wasOpen: Bool) {
        let wasOpen = ending == nil
        if wasOpen {
            run = BufferedRun()
            ending = .failed(ApusError(.cancelled, "the consuming task was cancelled"))
        }
        return (releaseWaiter(), wasOpen)
    }

    /// A consumer takes what there is.
    ///
    /// - Returns: What there is, and the index up to which tokens are consumed where the connection has to hear of it.
    mutating func take() -> (next: Next, report: Int?) {
        if !run.isEmpty {
            let batch = run.take()
            taken = batch.endIndex
            // Deliveries carry the consumed index along; a message of its own is due only before the credit runs out.
            guard taken - reported >= max(1, window / 2) else { return (.batch(batch), nil) }
            reported = taken
            return (.batch(batch), taken)
        }
        guard let ending else { return (.nothingYet, nil) }
        if isEndingTaken { return (.nothingMore, nil) }
        isEndingTaken = true
        switch ending {
        case .finished(let end): return (.finished(end), nil)
        case .failed(let error): return (.failed(error), nil)
        }
    }

    /// A consumer waits for the next change.
    ///
    /// - Returns: Whether it waits; otherwise there is something to take already.
    mutating func wait(_ waiter: Waiter) -> Bool {
        precondition(self.waiter == nil, "a stream has one consumer at a time")
        guard run.isEmpty, ending == nil else { return false }
        self.waiter = waiter
        return true
    }

    private mutating func releaseWaiter() -> Waiter? {
        defer { waiter = nil }
        return waiter
    }
}
