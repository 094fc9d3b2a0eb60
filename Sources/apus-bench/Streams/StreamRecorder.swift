import ApusClient
import ApusModel
import Synchronization

/// Submits streams and keeps what they bring, each under its number, from 0.
///
/// Isolation: updates come on the client's thread; one task at a time waits.
final class StreamRecorder: Sendable {
    private struct State {
        var records: [StreamRecord] = []
        var condition: (@Sendable ([StreamRecord]) -> Bool)?
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let client: ApusClient
    private let state = Mutex(State())

    /// Records streams of a client.
    init(_ client: ApusClient) {
        self.client = client
    }

    /// Runs some streams beside each other to their ends.
    ///
    /// - Returns: What they brought, in the order of the requests.
    /// - Throws: Why one was not accepted, or `BenchFailure` where one was not served right.
    static func run(_ requests: [GenerationRequest], on client: ApusClient) async throws -> [StreamRecord] {
        let recorder = StreamRecorder(client)
        for request in requests { try await recorder.submit(request) }
        await recorder.waitForEnds()
        return try recorder.checked()
    }

    /// What came so far.
    var records: [StreamRecord] { state.withLock { $0.records } }

    /// What came so far.
    ///
    /// - Throws: `BenchFailure` where a stream was not served right.
    func checked() throws -> [StreamRecord] {
        let records = records
        if let (number, record) = records.enumerated().first(where: { $0.element.failure != nil }) {
            throw BenchFailure("stream \(number): \(record.failure ?? "")")
        }
        return records
    }

    /// Submits a job.
    ///
    /// - Returns: The job, and the number of its first stream; those of further choices follow.
    @discardableResult
    func submit(_ request: GenerationRequest) async throws -> (job: JobID, number: Int) {
        let number = state.withLock { state in
            state.records += (0..<request.choices).map { _ in StreamRecord(submitted: .now) }
            return state.records.count - request.choices
        }
        let subscriptions = try await client.submitChoices(request) { [self] choice, update in
            take(update, stream: number + choice)
        }
        return (subscriptions[0].job, number)
    }

    /// Waits until all streams of a range have so many tokens, or are over.
    func waitForTokens(_ count: Int, of streams: Range<Int>) async {
        await wait { records in records[streams].allSatisfy { $0.arrivals.count >= count || $0.isOver } }
    }

    /// Waits until every stream is over.
    func waitForEnds() async {
        await wait { records in records.allSatisfy(\.isOver) }
    }

    private func wait(until condition: @escaping @Sendable ([StreamRecord]) -> Bool) async {
        await withCheckedContinuation { continuation in
            let holds = state.withLock { state in
                if condition(state.records) { return true }
                state.condition = condition
                state.waiter = continuation
                return false
            }
            if holds { continuation.resume() }
        }
    }

    private func take(_ update: StreamUpdate, stream: Int) {
        let waiter: CheckedContinuation<Void, Never>? = state.withLock { state in
            state.records[stream].take(update)
            guard let condition = state.condition, condition(state.records) else { return nil }
            state.condition = nil
            return state.waiter.take()
        }
        waiter?.resume()
    }
}

/// What keeps a benchmark from measuring.
struct BenchFailure: Error, CustomStringConvertible {
    /// What happened.
    let description: String

    /// Describes a failure.
    init(_ description: String) {
        self.description = description
    }
}
