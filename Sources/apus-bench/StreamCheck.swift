import ApusClient
import ApusEngine
import ApusModel
import Synchronization

/// Watches a set of streams: that each index comes once and in order, that the content is the one true sequence, that each ends.
///
/// Isolation: the callbacks run on the client's thread; the totals may be read from anywhere.
final class StreamCheck: Sendable {
    fileprivate struct State {
        var next: [Int]
        var open: Int
        var tokens = 0
        var failures: [String] = []
        var firstToken: ContinuousClock.Instant?
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state: Mutex<State>
    private let checksContent: Bool

    /// Watches `streams` streams that are numbered from 0.
    init(streams: Int, checksContent: Bool) {
        state = Mutex(State(next: Array(repeating: 0, count: streams), open: streams))
        self.checksContent = checksContent
    }

    /// Tokens so far.
    var tokens: Int { state.withLock { $0.tokens } }

    /// What went wrong, at most ten lines.
    var failures: [String] { state.withLock { $0.failures } }

    /// When the first token of any stream came.
    var firstToken: ContinuousClock.Instant? { state.withLock { $0.firstToken } }

    /// Takes an update of a stream.
    func take(_ update: StreamUpdate, stream: Int, prompt: String, seed: UInt64, count: Int) {
        let waiter: CheckedContinuation<Void, Never>? = state.withLock { state in
            switch update {
            case .batch(let batch):
                if state.firstToken == nil { state.firstToken = .now }
                if batch.firstIndex != state.next[stream] {
                    state.fail("stream \(stream): index \(batch.firstIndex) came instead of \(state.next[stream])")
                }
                if checksContent {
                    for (place, id) in batch.ids.enumerated() {
                        let index = batch.firstIndex + place
                        let expected = SimulatedEngine.token(seed: seed, prompt: prompt, index: index)
                        if id != expected.rawValue { state.fail("stream \(stream): wrong token at index \(index)") }
                    }
                }
                state.next[stream] = batch.endIndex
                state.tokens += batch.count
                return nil
            case .finished(let end):
                if !end.reason.isSuccess || state.next[stream] != count || end.usage.completionTokens != count {
                    state.fail("stream \(stream): ended by \(end.reason) after \(state.next[stream]) tokens")
                }
                return state.close()
            case .failed(let error):
                state.fail("stream \(stream): \(error)")
                return state.close()
            }
        }
        waiter?.resume()
    }

    /// Waits until every stream has ended.
    func waitForAll() async {
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                if state.open == 0 { return true }
                state.waiter = continuation
                return false
            }
            if isDone { continuation.resume() }
        }
    }
}

extension StreamCheck.State {
    fileprivate mutating func fail(_ text: String) {
        if failures.count < 10 { failures.append(text) }
    }

    fileprivate mutating func close() -> CheckedContinuation<Void, Never>? {
        open -= 1
        guard open == 0 else { return nil }
        defer { waiter = nil }
        return waiter
    }
}
