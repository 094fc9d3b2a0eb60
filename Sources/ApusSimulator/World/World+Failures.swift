import ApusCore
import ApusModel

/// Workers that live and can't do what they should.
extension World {
    /// A worker runs out of memory: it takes nothing new for a while, and says so.
    mutating func refuse(_ worker: Int, for time: Int64) {
        injected(.workerRefuses, "\(workers[worker].spec.name) takes nothing new for \(time / 1_000_000) ms")
        workers[worker].refusesUntil = max(workers[worker].refusesUntil, now + time)
    }

    /// A worker's engine can't compute the next token of a stream.
    mutating func failEngine(of worker: Int) {
        guard workers[worker].isEnlisted,
            let place = workers[worker].attempts.firstIndex(where: { !$0.hasEnded })
        else { return }
        let attempt = workers[worker].attempts.remove(at: place)
        injected(.engineFails, "\(workers[worker].spec.name) at index \(attempt.next) of stream \(attempt.stream)")
        giveBack(attempt.stream, attempt.epoch, ApusError(.engineFailure, "not a number"), from: worker)
    }

    /// Ends an attempt that the worker does not hold, or does not hold any more, without success.
    mutating func giveBack(_ stream: StreamID, _ epoch: Epoch, _ error: ApusError, from worker: Int) {
        var report = report(of: worker)
        report.ends = [AttemptEnd(stream: stream, epoch: epoch, reason: .failed, error: error, promptTokens: 1)]
        send(.step(Shared(report)), from: worker)
    }
}
