import ApusModel
import Synchronization

/// The sink behind a `TokenStream`: hands tokens from the connection's thread to the consuming task.
final class TokenBuffer: StreamSink {
    private typealias Machine = TokenBufferMachine<CheckedContinuation<Void, Never>>

    /// Fulfilled when the coordinator has answered.
    let acceptance = Promise<AcceptedJob>()

    private let request: UInt64
    private let inbox: ClientInbox
    private let machine: Mutex<Machine>

    /// An empty buffer of a stream.
    init(request: UInt64, firstIndex: Int, window: Int, inbox: ClientInbox) {
        self.request = request
        self.inbox = inbox
        machine = Mutex(Machine(firstIndex: firstIndex, window: window))
    }

    /// The stream's end, once it has come.
    var end: StreamEnd? { machine.withLock { $0.end } }

    // MARK: On the connection's thread

    func accepted(_ job: AcceptedJob) {
        acceptance.fulfil(.success(job))
    }

    func deliver(_ batch: TokenBatch) -> Int {
        let (waiter, consumed) = machine.withLock { $0.received(batch) }
        waiter?.resume()
        return consumed
    }

    func finished(_ end: StreamEnd) {
        machine.withLock { $0.finished(end) }?.resume()
    }

    func failed(_ error: ApusError) {
        acceptance.fulfil(.failure(error))
        machine.withLock { $0.failed(error) }?.resume()
    }

    // MARK: In the consuming task

    /// Waits for what comes next; not `nothingYet`.
    ///
    /// Cancelling the waiting task gives the stream up.
    func next(isolation: isolated (any Actor)?) async -> TokenBufferMachine<CheckedContinuation<Void, Never>>.Next {
        await withTaskCancellationHandler {
            while true {
                let (next, report) = machine.withLock { $0.take() }
                if let report { inbox.push(.consumed(request: request, through: report)) }
                guard case .nothingYet = next else { return next }
                await withCheckedContinuation { waiter in
                    if !machine.withLock({ $0.wait(waiter) }) { waiter.resume() }
                }
            }
        } onCancel: {
            cancel()
        }
    }

    /// Gives the stream up as its consuming task was cancelled.
    func cancel() {
        let (waiter, wasOpen) = machine.withLock { $0.cancelled() }
        if wasOpen { inbox.push(.abandon(request: request)) }
        waiter?.resume()
    }

    /// The stream's last consumer is gone.
    func abandon() {
        if machine.withLock({ !$0.isOver }) { inbox.push(.abandon(request: request)) }
    }

    /// The stream is left to itself; what is buffered stays readable, and then the stream ends.
    func detach() {
        inbox.push(.detach(request: request))
        machine.withLock { $0.failed(ApusError(.cancelled, "the stream was detached")) }?.resume()
    }
}
