import ApusModel

/// The sink behind the callback form: passes everything on, on the connection's thread.
final class CallbackSink: StreamSink {
    /// Fulfilled when the coordinator has answered.
    let acceptance = Promise<AcceptedJob>()

    private let onUpdate: @Sendable (StreamUpdate) -> Void

    /// Passes updates on.
    init(_ onUpdate: @escaping @Sendable (StreamUpdate) -> Void) {
        self.onUpdate = onUpdate
    }

    func accepted(_ job: AcceptedJob) {
        acceptance.fulfil(.success(job))
    }

    func deliver(_ batch: TokenBatch) -> Int {
        onUpdate(.batch(batch))
        return batch.endIndex
    }

    func finished(_ end: StreamEnd) {
        onUpdate(.finished(end))
    }

    func failed(_ error: ApusError) {
        // Before the acceptance the call throws it; afterwards nobody but the callback is there to hear it.
        if acceptance.isSuccess { onUpdate(.failed(error)) } else { acceptance.fulfil(.failure(error)) }
    }
}
