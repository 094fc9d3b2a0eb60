import ApusClient
import ApusModel
import Synchronization

/// Watches streams through the loss of a worker: no index is missing or repeated, and when the first new token comes.
final class GapWatch: Sendable {
    private struct Stream {
        var next = 0
        var newToken: Int32?
    }

    private struct State {
        var streams: [Stream]
        var began: Int32?
        var dead: Int32 = 0
        var failures: [String] = []
        var condition: (@Sendable ([Int], Bool) -> Bool)?
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state: Mutex<State>

    init(streams: Int) {
        state = Mutex(State(streams: Array(repeating: Stream(), count: streams)))
    }

    /// What went wrong.
    var failures: [String] { state.withLock { $0.failures } }

    /// Takes an update of a stream.
    func take(_ update: StreamUpdate, stream: Int) {
        let now = StampClock.microseconds
        resume { state in
            switch update {
            case .batch(let batch):
                if batch.firstIndex != state.streams[stream].next {
                    state.failures.append("index \(batch.firstIndex) came instead of \(state.streams[stream].next)")
                }
                state.streams[stream].next = batch.endIndex
                guard state.began != nil, state.streams[stream].newToken == nil else { return }
                // A token drawn before the death may still be under way; only one drawn after it ends the gap.
                if batch.ids.contains(where: { StampClock.elapsed(since: state.dead, at: $0) < 1 << 30 }) {
                    state.streams[stream].newToken = now
                }
            case .finished(let end):
                if end.reason != .cancelled { state.failures.append("a stream ended by \(end.reason)") }
            case .failed(let error):
                if error.code != .cancelled { state.failures.append("\(error)") }
            }
        }
    }

    /// The worker got its signal at `began` and was surely dead at `dead`.
    func began(at began: Int32, deadAt dead: Int32) {
        state.withLock { state in
            state.dead = dead
            state.began = began
        }
    }

    /// Milliseconds from the signal to a stream's first new token.
    func gap(of stream: Int) -> Double {
        state.withLock { state in
            guard let began = state.began, let token = state.streams[stream].newToken else { return .infinity }
            return Double(StampClock.elapsed(since: began, at: token)) / 1_000
        }
    }

    /// Waits until every stream has so many tokens.
    func waitForTokens(_ count: Int) async {
        await wait { counts, _ in counts.allSatisfy { $0 >= count } }
    }

    /// Waits until every stream has a token that was drawn after the death.
    func waitForNewTokens() async {
        await wait { _, hasNew in hasNew }
    }

    private func wait(_ condition: @escaping @Sendable ([Int], Bool) -> Bool) async {
        await withCheckedContinuation { continuation in
            resume { state in
                state.condition = condition
                state.waiter = continuation
            }
        }
    }

    /// Changes the state and resumes the waiter, if what it waits for holds then or a stream failed.
    private func resume(_ change: (inout State) -> Void) {
        let waiter: CheckedContinuation<Void, Never>? = state.withLock { state in
            change(&state)
            guard let condition = state.condition, let waiter = state.waiter else { return nil }
            let holds = condition(state.streams.map(\.next), state.streams.allSatisfy { $0.newToken != nil })
            guard holds || !state.failures.isEmpty else { return nil }
            state.condition = nil
            state.waiter = nil
            return waiter
        }
        waiter?.resume()
    }
}
