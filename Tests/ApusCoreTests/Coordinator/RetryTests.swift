import ApusCore
import ApusModel
import Testing

/// Jobs that failed and are tried again.
@Suite struct RetryTests {
    /// A job that its deadline ended, and its acceptance.
    private func expired() -> (MachineBench, AcceptedRecord, StreamEnd) {
        var bench = MachineBench { $0.recallsEnded = true }
        var request = GenerationRequest(prompt: "p", maximumTokens: 100, deadline: .seconds(1))
        request.durability = .released
        bench.submit("k", request: request)
        let accepted = bench.turn.acceptances[0]
        let end = bench.pass(.milliseconds(1_100)).ends[0]
        #expect(end.reason == .expired)
        return (bench, accepted, end)
    }

    @discardableResult
    private func retry(
        _ accepted: AcceptedRecord,
        _ ends: [StreamEnd?],
        newest: JobID? = nil,
        in bench: inout MachineBench
    ) -> [Effect] {
        bench.tell { machine, now, turn in
            machine.retryRequested(
                by: MachineBench.client,
                number: 5,
                accepted,
                ends: ends,
                newest: newest ?? accepted.job,
                at: now,
                into: &turn
            )
        }
    }

    @Test func `A failed job is tried again as a new one with the same request and seed`() {
        var (bench, accepted, end) = expired()
        let effects = retry(accepted, [end], in: &bench)
        let new = bench.turn.acceptances
        #expect(new.count == 1)
        #expect(new[0].job != accepted.job)
        #expect(new[0].stream == StreamID(rawValue: 2))
        #expect(new[0].request == accepted.request)
        #expect(new[0].choseSeed == accepted.choseSeed)
        #expect(new[0].acceptedAt == bench.now)
        #expect(effects.contains(.retried(MachineBench.client, request: 5, new[0].job)))
        #expect(bench.register(10).assignments == [[10, 2, 1, 0]])
    }

    @Test func `The key belongs to the new job, and the name of the former one still finds that`() {
        var (bench, accepted, end) = expired()
        retry(accepted, [end], in: &bench)
        let new = bench.turn.acceptances[0]
        var request = GenerationRequest(prompt: "p", maximumTokens: 100, deadline: .seconds(1))
        request.durability = .released
        #expect(bench.submit("k", number: 6, request: request).job == new.job)
        #expect(bench.attach(job: accepted.job, from: 0, credit: 1).ends == [end])
    }

    @Test func `A job that was tried again already is not tried a second time`() {
        var (bench, accepted, end) = expired()
        retry(accepted, [end], in: &bench)
        // The journal may not know of the new one yet.
        #expect(retry(accepted, [end], in: &bench).refusals == [.keyConflict])
        let newer = JobID(rawValue: 77)
        var fresh = MachineBench()
        #expect(retry(accepted, [end], newest: newer, in: &fresh).refusals == [.keyConflict])
        #expect(fresh.turn.records.isEmpty)
    }

    @Test func `Two retries in one turn make one job`() {
        var (bench, accepted, end) = expired()
        let effects = bench.tell { machine, now, turn in
            for number in [UInt64(5), 6] {
                machine.retryRequested(
                    by: MachineBench.client,
                    number: number,
                    accepted,
                    ends: [end],
                    newest: accepted.job,
                    at: now,
                    into: &turn
                )
            }
        }
        #expect(bench.turn.acceptances.count == 1)
        #expect(effects.refusals == [.keyConflict])
    }

    @Test func `What runs or ended well is not tried again`() {
        var (bench, accepted, end) = expired()
        #expect(retry(accepted, [nil], in: &bench).refusals == [.invalidRequest])
        for reason in [FinishReason.stop, .length, .cancelled] {
            var good = end
            good.reason = reason
            #expect(retry(accepted, [good], in: &bench).refusals == [.invalidRequest])
        }
        #expect(bench.turn.records.isEmpty)
    }

    @Test func `One choice that failed is enough, once all have ended`() {
        var (bench, accepted, end) = expired()
        var job = accepted
        job.request.choices = 2
        var good = end
        good.reason = .stop
        #expect(retry(job, [end, nil], in: &bench).refusals == [.invalidRequest])
        retry(job, [good, end], in: &bench)
        #expect(bench.turn.acceptances.map(\.streams) == [2..<4])
    }

    @Test func `A retry is admitted like any other job`() {
        var (bench, accepted, end) = expired()
        bench.tell { machine, _, _ in machine.journalFilled(true) }
        #expect(retry(accepted, [end], in: &bench).refusals == [.overloaded])
        bench.tell { machine, _, _ in machine.journalFilled(false) }
        bench.machine.drainingBegan()
        #expect(retry(accepted, [end], in: &bench).refusals == [.shuttingDown])
    }
}

extension [Effect] {
    /// The codes of requests that failed.
    var refusals: [ApusError.Code] {
        compactMap { effect in if case .refuse(_, _, let error) = effect { error.code } else { nil } }
    }
}
