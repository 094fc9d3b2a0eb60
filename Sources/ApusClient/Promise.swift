import ApusModel
import Synchronization

/// A value that comes once, from the connection's thread, to one waiting task.
final class Promise<Value: Sendable>: Sendable {
    private typealias Waiter = CheckedContinuation<Result<Value, ApusError>, Never>

    private enum State {
        case open
        case awaited(Waiter)
        case fulfilled(Result<Value, ApusError>)
    }

    private let state = Mutex(State.open)

    /// Whether the value has come, and is no error.
    var isSuccess: Bool {
        state.withLock { state in
            if case .fulfilled(.success) = state { true } else { false }
        }
    }

    /// Gives the value; the first one counts.
    func fulfil(_ result: Result<Value, ApusError>) {
        let waiter: Waiter? = state.withLock { state in
            switch state {
            case .open:
                state = .fulfilled(result)
                return nil
            case .awaited(let waiter):
                state = .fulfilled(result)
                return waiter
            case .fulfilled:
                return nil
            }
        }
        waiter?.resume(returning: result)
    }

    /// Waits for the value; called once.
    ///
    /// - Throws: The error it was fulfilled with; `cancelled` as soon as the waiting task is cancelled.
    func value() async throws(ApusError) -> Value {
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                let present: Result<Value, ApusError>? = state.withLock { state in
                    switch state {
                    case .open:
                        state = .awaited(waiter)
                        return nil
                    case .awaited:
                        return .failure(ApusError(.internalFailure, "two tasks wait for one answer"))
                    case .fulfilled(let result):
                        return result
                    }
                }
                if let present { waiter.resume(returning: present) }
            }
        } onCancel: {
            fulfil(.failure(ApusError(.cancelled, "the waiting task was cancelled")))
        }
        return try result.get()
    }
}
