/// The ends of a job's streams at one reader.
///
/// Isolation: ends are added from anywhere; one task waits.
struct StreamEnds: Sendable {
    private let count: Int
    private let ends: AsyncStream<Void>
    private let end: AsyncStream<Void>.Continuation

    /// Expects so many ends.
    init(_ count: Int) {
        self.count = count
        (ends, end) = AsyncStream.makeStream()
    }

    /// A stream ended.
    func add() { end.yield() }

    /// Waits until all have.
    func wait() async {
        var iterator = ends.makeAsyncIterator()
        for _ in 0..<count { _ = await iterator.next() }
    }
}
