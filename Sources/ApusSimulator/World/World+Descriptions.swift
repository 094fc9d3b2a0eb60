import ApusCore
import ApusModel

/// The words of a trace.
extension World {
    func workerName(of connection: Int) -> String {
        "\(workers[workerConnections[connection].owner].spec.name)#\(connection)"
    }

    func clientName(of connection: Int) -> String { "c\(clientConnections[connection].owner)#\(connection)" }

    func described(_ columns: TokenColumns) -> String {
        (0..<columns.rows).map { row in
            let first = columns.firstIndexes[row]
            let epoch = columns.epochs.isEmpty ? "" : "/\(columns.epochs[row])"
            return "\(columns.streams[row])\(epoch)[\(first)..<\(first + UInt64(columns.counts[row]))]"
        }.joined(separator: " ")
    }

    func described(_ record: JournalRecord) -> String {
        switch record {
        case .accepted(let record):
            "accepted \(record.request.choices) streams from \(record.stream) on for job \(JobSpec.place(of: record.request)) (key \(record.key))"
        case .leased(let record):
            "leased \(record.stream)/\(record.epoch) to \(record.worker)\(record.isHedge ? " as a hedge" : "")"
        case .ended(let stream, let end, _):
            "ended stream \(stream): \(end.reason.rawValue) after \(end.usage.completionTokens) tokens"
        case .forgotten(let stream): "forgotten stream \(stream)"
        }
    }

    func described(_ request: ClientRequest) -> String {
        switch request {
        case .hello(let name): "Hello \(name)"
        case .submit(let number, let key, let request, let credit):
            "Submit #\(number) key \(key), at most \(request.maximumTokens) tokens, credit \(credit)"
        case .attach(let number, let job, let key, let choice, let from, let credit):
            "Attach #\(number) \(job.map { "job \($0)" } ?? "key \(key)") choice \(choice) from \(from), credit \(credit)"
        case .credit(let streams, let limits):
            "Credit " + zip(streams, limits).map { "\($0)<\($1)" }.joined(separator: " ")
        case .detach(let streams): "Detach \(streams.map(String.init).joined(separator: " "))"
        case .cancel(let number, let job): "Cancel #\(number) job \(job)"
        case .drain(_, let worker): "Drain \(worker?.text ?? "all")"
        case .retry(let number, let job): "Retry #\(number) job \(job)"
        }
    }

    func described(_ message: ClientMessage) -> String {
        switch message {
        case .welcome: "Welcome"
        case .accepted(let number, let job, let stream, _, let choices):
            "Accepted #\(number) job \(job) stream \(stream), \(choices) streams"
        case .rejected(let number, let error): "Rejected #\(number) \(error)"
        case .tokens(let columns): "Tokens \(described(columns.value))"
        case .finished(let stream, _, let end):
            "Finished stream \(stream): \(end.reason.rawValue), \(end.usage.completionTokens) tokens, "
                + "\(end.continuity.rawValue), \(end.attempts) attempts\(end.error.map { ", \($0)" } ?? "")"
        case .done(let number): "Done #\(number)"
        case .retried(let number, let job): "Done #\(number), now job \(job)"
        case .refused(let number, let error): "Error #\(number) \(error)"
        }
    }

    func described(_ report: WorkerReport) -> String {
        switch report {
        case .register(let registration, let held): "Register \(registration.incarnation) holds \(described(held))"
        case .step(let step):
            "Step \(step.value.progress)\(step.value.isBusy ? " busy" : " idle") \(described(step.value.tokens))"
                + step.value.ends.map { " end \($0.stream)/\($0.epoch) \($0.reason.rawValue)" }.joined()
        case .leave: "Leave"
        case .bye: "Bye"
        }
    }

    /// Whether a message says only that its worker lives and has nothing to do; a trace leaves these out.
    func isIdleBeat(_ report: WorkerReport) -> Bool {
        guard case .step(let step) = report else { return false }
        return !step.value.isBusy && step.value.tokens.isEmpty && step.value.ends.isEmpty
            && step.value.cachedBlocks.isEmpty && step.value.evictedBlocks.isEmpty
    }

    func described(_ message: WorkerMessage) -> String {
        switch message {
        case .enlisted(let keep): "Enlisted, keep \(described(keep))"
        case .refused(let error): "Error \(error)"
        case .assign(let stream, let epoch, let request, let history, let limit):
            "Assign \(stream)/\(epoch) job \(JobSpec.place(of: request)), history \(history.count), limit \(limit)"
        case .acknowledge(let streams, let through, let limits):
            "Ack " + streams.indices.map { "\(streams[$0])<\(through[$0])<\(limits[$0])" }.joined(separator: " ")
        case .revoke(let streams, let epochs):
            "Revoke " + zip(streams, epochs).map { "\($0)/\($1)" }.joined(separator: " ")
        case .drain: "DrainWorker"
        }
    }

    private func described(_ held: [HeldAttempt]) -> String {
        held.isEmpty ? "nothing" : held.map { "\($0.stream)/\($0.epoch)@\($0.next)" }.joined(separator: " ")
    }
}
