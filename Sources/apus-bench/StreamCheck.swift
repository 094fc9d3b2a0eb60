import ApusClient
import ApusEngine
import ApusModel
import Synchronization

/// Watches a set of streams: that each index comes once and in order, that the content is the one true sequence, that each ends.
///
/// Isolation: the callbacks run on the client's thread; the totals may be read from anywhere.
final class StreamCheck: Sendable {
    /// What every batch touches; plain numbers only, for this is part of what is measured.
    fileprivate struct State {
        var next: [Int]
        var open: Int
        var tokens = 0
        var failures: [String] = []
    }

    private let state: Mutex<State>
    private let firstBatch = Mutex<ContinuousClock.Instant?>(nil)
    private let (ends, end) = AsyncStream.makeStream(of: Void.self)
    private let checksContent: Bool

    /// Watches `streams` streams that are numbered from 0.
    init(streams: Int, checksContent: Bool) {
        state = Mutex(State(next: Array(repeating: 0, count: streams), open: streams))
        self.checksContent = checksContent
        if streams == 0 { end.finish() }
    }

    /// Tokens so far.
    var tokens: Int { state.withLock { $0.tokens } }

    /// What went wrong, at most ten lines.
    var failures: [String] { state.withLock { $0.failures } }

    /// When the first token of any stream came.
    var firstToken: ContinuousClock.Instant? { firstBatch.withLock { $0 } }

    /// Takes an update of a stream.
    func take(_ update: StreamUpdate, stream: Int, prompt: String, seed: UInt64, count: Int) {
        switch update {
        case .batch(let batch):
            take(batch, stream: stream)
            if checksContent { checkContent(of: batch, stream: stream, prompt: prompt, seed: seed) }
        case .finished(let end):
            close { state in
                if !end.reason.isSuccess || state.next[stream] != count || end.usage.completionTokens != count {
                    state.fail("stream \(stream): ended by \(end.reason) after \(state.next[stream]) tokens")
                }
            }
        case .failed(let error):
            close { $0.fail("stream \(stream): \(error)") }
        }
    }

    private func take(_ batch: TokenBatch, stream: Int) {
        let isFirst = state.withLock { state in
            if batch.firstIndex != state.next[stream] {
                state.fail("stream \(stream): index \(batch.firstIndex) came instead of \(state.next[stream])")
            }
            state.next[stream] = batch.endIndex
            state.tokens += batch.count
            return state.tokens == batch.count
        }
        if isFirst { firstBatch.withLock { $0 = .now } }
    }

    private func checkContent(of batch: TokenBatch, stream: Int, prompt: String, seed: UInt64) {
        for (place, id) in batch.ids.enumerated() {
            let index = batch.firstIndex + place
            let expected = SimulatedEngine.token(seed: seed, prompt: prompt, index: index)
            if id != expected.rawValue {
                state.withLock { $0.fail("stream \(stream): wrong token at index \(index)") }
            }
        }
    }

    private func close(_ check: (inout State) -> Void) {
        let isLast = state.withLock { state in
            check(&state)
            state.open -= 1
            return state.open == 0
        }
        if isLast { end.finish() }
    }

    /// Waits until every stream has ended.
    func waitForAll() async {
        for await _ in ends {}
    }
}

extension StreamCheck.State {
    fileprivate mutating func fail(_ text: String) {
        if failures.count < 10 { failures.append(text) }
    }
}
