import ApusCore
import ApusModel
import Testing

/// What workers say of the beginning and the end of attempts, and which failures are tried again.
@Suite struct AttemptEndTests {
    private static let failure = ApusError(.engineFailure, "no memory")

    private static func load(refusing: Bool) -> WorkerLoad {
        var load = WorkerLoad()
        load.isRefusing = refusing
        return load
    }

    private static func beat(_ bench: inout MachineBench, _ worker: UInt64, refusing: Bool) -> [Effect] {
        bench.tell {
            let report = StepReport(progress: 1, isBusy: false, load: load(refusing: refusing))
            $0.stepReceived(report, from: MachineBench.peer(worker), at: $1, into: &$2)
        }
    }

    @Test func `A worker that refuses gets nothing new and keeps what it has`() {
        var bench = MachineBench()
        bench.register(10)
        bench.submit("a")
        _ = Self.beat(&bench, 10, refusing: true)
        #expect(bench.submit("b", number: 2).assignments.isEmpty)
        #expect(bench.machine.counters.active == 1)
        bench.step(10, 1, 0..<3)
        #expect(bench.sent() == [1: [0..<3]])
        // That report did not refuse any more.
        #expect(bench.machine.counters.active == 2)
    }

    @Test func `A worker that takes work again is given what waits`() {
        var bench = MachineBench()
        bench.register(10)
        _ = Self.beat(&bench, 10, refusing: true)
        #expect(bench.submit().assignments.isEmpty)
        #expect(Self.beat(&bench, 10, refusing: true).assignments.isEmpty)
        #expect(Self.beat(&bench, 10, refusing: false).assignments == [[10, 1, 1, 0]])
        _ = Self.beat(&bench, 10, refusing: true)
        // A process that begins anew refuses nothing.
        bench.tell { $0.left(MachineBench.peer(10), at: $1, into: &$2) }
        #expect(bench.register(11, name: "w10").assignments == [[11, 1, 2, 0]])
    }

    @Test func `An attempt that is refused goes on elsewhere and counts for nothing`() {
        var bench = MachineBench()
        bench.register(10)
        bench.submit()
        bench.register(11)
        let full = ApusError(.overloaded, "no memory for more")
        #expect(bench.step(10, 1, 0..<0, end: .failed, error: full).assignments == [[11, 1, 2, 0]])
        // Until it says otherwise it gets nothing else either.
        #expect(bench.submit("b", number: 2).assignments == [[11, 2, 1, 0]])
        let end = bench.step(11, 1, epoch: 2, 0..<1, end: .stop).ends.first
        #expect(end?.reason == .stop)
        #expect(end?.attempts == 2)
    }

    @Test func `A stream that everybody refuses is neither given up nor passed around without end`() {
        var bench = MachineBench()
        bench.register(10)
        var effects = bench.submit()
        let full = ApusError(.overloaded, "no memory for more")
        var attempts = 0
        for _ in 0..<400 {
            for assignment in effects.assignments {
                attempts += 1
                effects = bench.step(10, 1, epoch: UInt32(assignment[2]), 0..<0, end: .failed, error: full)
            }
            effects = bench.pass(.milliseconds(25), beating: [MachineBench.peer(10)])
        }
        #expect(attempts > 5)
        #expect(attempts < 25)
        #expect(bench.machine.counters.failed == 0)
    }

    @Test func `An engine's failure is tried once more elsewhere, then ends the stream where it failed`() {
        var bench = MachineBench()
        bench.register(10)
        bench.submit()
        bench.step(10, 1, 0..<4)
        bench.register(11)
        #expect(bench.step(10, 1, 4..<5, end: .failed, error: Self.failure).assignments == [[11, 1, 2, 5]])
        let end = bench.step(11, 1, epoch: 2, 5..<6, end: .failed, error: Self.failure).ends.first
        #expect(end?.reason == .failed)
        #expect(end?.error?.code == .engineFailure)
        #expect(end?.error?.message.contains("token 6") == true)
        #expect(end?.error?.message.contains("no memory") == true)
        #expect(end?.usage.completionTokens == 6)
        #expect(end?.attempts == 2)
    }

    @Test func `Failures far apart are each tried again, and with deaths at one place they count together`() {
        var bench = MachineBench()
        bench.register(10)
        bench.register(11)
        bench.submit()
        var (worker, epoch): (UInt64, UInt32) = (10, 1)
        for round in 0..<5 {
            let effects = bench.step(
                worker,
                1,
                epoch: epoch,
                round * 20..<round * 20 + 20,
                end: .failed,
                error: Self.failure
            )
            epoch += 1
            worker = worker == 10 ? 11 : 10
            #expect(effects.assignments == [[worker, 1, UInt64(epoch), UInt64(round * 20 + 20)]])
        }
        #expect(bench.machine.counters.failed == 0)
    }

    @Test(arguments: [ApusError.Code.invalidRequest, .promptTooLong, .unsupported])
    func `What is wrong with the request itself is not tried again`(code: ApusError.Code) {
        var bench = MachineBench()
        bench.register(10)
        bench.submit()
        bench.register(11)
        let effects = bench.step(10, 1, 0..<0, end: .failed, error: ApusError(code, "no"))
        #expect(effects.assignments.isEmpty)
        #expect(effects.ends.first?.error == ApusError(code, "no"))
    }

    // MARK: - What is measured

    private static let stages = FirstTokenStages(tokenize: .milliseconds(1), prefill: .milliseconds(7), promptTokens: 9)

    private static func step(
        _ bench: inout MachineBench,
        _ worker: UInt64,
        epoch: UInt32,
        _ indexes: Range<Int>,
        end: FinishReason? = nil,
        summary: SessionSummary? = nil
    ) -> [Effect] {
        bench.tell {
            var report = MachineBench.report(1, epoch: epoch, indexes, end: end)
            if !report.ends.isEmpty { report.ends[0].summary = summary }
            report.firstTokens = [
                FirstTokenReport(stream: StreamID(rawValue: 1), epoch: Epoch(rawValue: epoch), stages: stages)
            ]
            $0.stepReceived(report, from: MachineBench.peer(worker), at: $1, into: &$2)
        }
    }

    @Test func `An end says where the time to the first token went`() {
        var bench = MachineBench()
        bench.register(10)
        bench.submit()
        bench.now = bench.now + .milliseconds(10)
        let end = Self.step(&bench, 10, epoch: 1, 0..<1, end: .stop).ends.first
        #expect(end?.timings.stages == Self.stages)
        #expect(end?.timings.transfer == .milliseconds(2))
        guard case .ended(_, let journaled, _) = bench.turn.records.last else {
            Issue.record("the end is not journaled")
            return
        }
        #expect(journaled == end)
    }

    @Test func `The stages of a later attempt, or of a fenced one, are not the stream's`() {
        var bench = MachineBench()
        bench.register(10)
        bench.submit()
        bench.step(10, 1, 0..<3)
        bench.now = bench.now + .milliseconds(10)
        _ = Self.step(&bench, 10, epoch: 1, 3..<4)
        bench.register(11)
        _ = bench.lose(10, beating: 11..<12)
        _ = Self.step(&bench, 11, epoch: 2, 4..<5)
        _ = Self.step(&bench, 11, epoch: 1, 0..<1)
        let end = bench.step(11, 1, epoch: 2, 5..<6, end: .stop).ends.first
        #expect(end?.reason == .stop)
        #expect(end?.timings.stages == nil)
    }

    @Test func `A summary counts the attempts that were lost before`() {
        var bench = MachineBench()
        bench.register(10)
        bench.submit()
        bench.step(10, 1, 0..<3)
        bench.register(11)
        _ = bench.lose(10, beating: 11..<12)
        bench.register(12)
        #expect(bench.step(11, 1, epoch: 2, 3..<30, end: .failed, error: Self.failure).assignments == [[12, 1, 3, 30]])
        let told = SessionSummary(tokens: 5, errors: 1, recovered: 1, batchSize: 2)
        let end = Self.step(&bench, 12, epoch: 3, 30..<31, end: .stop, summary: told).ends.first
        #expect(end?.summary?.errors == 3)
        #expect(end?.summary?.recovered == 3)
        #expect(end?.summary?.tokens == 5)
        #expect(bench.machine.counters.completed == 1)
    }

    @Test func `Leaving in good order is no error, and no summary is made up`() {
        var bench = MachineBench()
        bench.register(10)
        bench.submit()
        bench.register(11)
        bench.tell { $0.left(MachineBench.peer(10), at: $1, into: &$2) }
        let told = SessionSummary(tokens: 1)
        #expect(Self.step(&bench, 11, epoch: 2, 0..<1, end: .stop, summary: told).ends.first?.summary == told)
        bench.submit("b", number: 2)
        #expect(bench.step(11, 2, 0..<1, end: .stop).ends.first?.summary == nil)
    }
}
