package import ApusModel

/// Decides when a stream's waiting tokens are handed over to the network.
///
/// The first token and the three after it go at once: a reader waits for them. Later ones go in groups as large as the
/// client wants, but none waits longer than `longestWait`, and all go when the stream ends.
package struct TransferPacer: Sendable {
    /// A part of a stream's life, by the index of a token.
    package enum Phase: String, Hashable, Sendable {
        /// The first token.
        case first

        /// The three after it: latency matters more than throughput.
        case early

        /// All others: throughput.
        case later

        /// The phase of a token.
        package init(index: Int) {
            self = index < 1 ? .first : index < 4 ? .early : .later
        }
    }

    /// Tokens of a later group.
    package let group: Int

    /// How long a token may wait for its group.
    package let longestWait: Duration

    /// The index of the first token that has not been handed over.
    package private(set) var nextIndex: Int

    /// Tokens that wait.
    package private(set) var waiting = 0

    /// When the oldest of them came.
    private var oldestCame = Timestamp.zero
    private var hasEnded = false

    /// A pacer for a stream.
    ///
    /// - Parameters:
    ///   - group: Tokens that may share a message, as the request says; below 1 counts as 1.
    ///   - nextIndex: The index of the stream's next token: above 0 where it goes on from another worker.
    ///   - longestWait: How long a token may wait for its group.
    package init(group: Int, nextIndex: Int = 0, longestWait: Duration = .milliseconds(50)) {
        self.group = min(max(1, group), Limits.transferTokens)
        self.nextIndex = max(0, nextIndex)
        self.longestWait = longestWait
    }

    /// The phase of the next token to be handed over.
    package var phase: Phase { Phase(index: nextIndex) }

    /// Takes note of new tokens, in the order of their indexes.
    package mutating func tokensCame(_ count: Int, at now: Timestamp) {
        guard count > 0 else { return }
        if waiting == 0 { oldestCame = now }
        waiting += count
    }

    /// Takes note that the stream has ended: what waits is due.
    package mutating func streamEnded() { hasEnded = true }

    /// Whether the waiting tokens are to be handed over now.
    package func isDue(at now: Timestamp) -> Bool {
        guard let due else { return false }
        return due <= now
    }

    /// When the waiting tokens are to be handed over, should nothing else happen; `zero`: at once, `nil`: none wait.
    package var due: Timestamp? {
        guard waiting > 0 else { return nil }
        if hasEnded || phase != .later || waiting >= group { return .zero }
        return oldestCame + longestWait
    }

    /// Takes note that all waiting tokens were handed over.
    ///
    /// - Returns: How many there were.
    @discardableResult
    package mutating func handedOver() -> Int {
        let count = waiting
        nextIndex += count
        waiting = 0
        return count
    }
}
