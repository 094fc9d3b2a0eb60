import ApusCore
import ApusModel
import Testing

/// Jobs of several streams.
@Suite struct ChoiceTests {
    private static func request(_ choices: Int, seed: UInt64? = 7, prompt: String = "p") -> GenerationRequest {
        var request = GenerationRequest(prompt: prompt, maximumTokens: 100, choices: choices)
        request.sampling.seed = seed
        return request
    }

    private static func accepted(_ turn: Turn) -> [AcceptedRecord] {
        turn.records.compactMap { if case .accepted(let record) = $0 { record } else { nil } }
    }

    @Test func `A job of three choices is one acceptance and three streams with seeds of their own`() throws {
        var bench = MachineBench()
        bench.register(10)
        let effects = bench.submit(request: Self.request(3))
        guard case .accept(_, _, let job, let stream, let seed, let choices) = effects.first else {
            Issue.record("the job is not accepted")
            return
        }
        #expect(stream.rawValue == 1)
        #expect(seed == 7)
        #expect(choices == 3)
        #expect(effects.assignments == [[10, 1, 1, 0], [10, 2, 1, 0], [10, 3, 1, 0]])
        #expect(Self.accepted(bench.turn).map(\.streams) == [1..<4])
        let requests = effects.compactMap { if case .assign(_, _, _, let request, _, _) = $0 { request } else { nil } }
        #expect(requests.map(\.choices) == [1, 1, 1])
        #expect(requests.map(\.sampling.seed) == (0..<3).map { GenerationRequest.seed(ofChoice: $0, of: 7) })
        #expect(Set(requests.map(\.sampling.seed)).count == 3)
        #expect(bench.machine.jobViews(limit: 10).map(\.choice) == [2, 1, 0])
        #expect(Set(bench.machine.jobViews(limit: 10).map(\.job)) == [job])
        // The next job's streams come after them.
        #expect(bench.submit("other", number: 2).assignments == [[10, 4, 1, 0]])
    }

    @Test func `Each stream ends on its own, and each gets the credit of the submit`() {
        var bench = MachineBench()
        bench.register(10)
        bench.submit(request: Self.request(2), credit: 3)
        bench.step(10, 2, 0..<5)
        #expect(bench.sent() == [2: [0..<3]])
        bench.step(10, 1, 0..<2)
        #expect(bench.sent() == [1: [0..<2]])
        #expect(bench.step(10, 1, 2..<3, end: .stop).ends.count == 1)
        #expect(bench.machine.counters.completed == 1)
        #expect(bench.machine.counters.active == 1)
        bench.tell { $0.credited(by: MachineBench.client, streams: [2], limits: [100], into: &$2) }
        #expect(bench.step(10, 2, 5..<6, end: .stop).ends.first?.usage.completionTokens == 6)
        #expect(bench.machine.counters.completed == 2)
    }

    @Test func `The same key answers with all streams of the job, whichever have ended`() {
        var bench = MachineBench()
        bench.register(10)
        let first = bench.submit(request: Self.request(2))
        bench.step(10, 1, 0..<2, end: .stop)
        let late = ClientPeer(rawValue: 2)
        bench.tell { machine, _, _ in _ = machine.clientJoined(late, name: "late") }
        let again = bench.submit(number: 2, by: late, request: Self.request(2))
        guard case .accept(_, _, let job, let stream, _, let choices) = again.first else {
            Issue.record("the submit is not answered")
            return
        }
        #expect(job == first.job)
        #expect(stream.rawValue == 1)
        #expect(choices == 2)
        #expect(again.replays == [0..<2])
        #expect(again.ends.count == 1)
        bench.step(10, 2, 0..<1)
        #expect(bench.sent(to: late) == [2: [0..<1]])
        #expect(bench.submit(number: 3, by: late, request: Self.request(3)).rejections == [.keyConflict])
        #expect(bench.submit(number: 4, by: late, request: Self.request(1)).rejections == [.keyConflict])
    }

    @Test func `A stream that ended still tells another request under its key`() {
        var bench = MachineBench()
        bench.register(10)
        var request = Self.request(1)
        request.constraint = .grammar("root ::= \"a\"")
        bench.submit(request: request)
        bench.step(10, 1, 0..<2, end: .stop)
        #expect(bench.submit(number: 2, request: request).rejections.isEmpty)
        request.constraint = .jsonSchema("root ::= \"a\"")
        #expect(bench.submit(number: 3, request: request).rejections == [.keyConflict])
        request.constraint = nil
        #expect(bench.submit(number: 4, request: request).rejections == [.keyConflict])
    }

    @Test func `An attach follows the choice that it names`() throws {
        var bench = MachineBench()
        bench.register(10)
        let job = try #require(bench.submit(request: Self.request(2)).job)
        bench.step(10, 2, 0..<2)
        let other = ClientPeer(rawValue: 2)
        let effects = bench.tell { machine, _, turn in
            _ = machine.clientJoined(other, name: "other")
            for choice in [1, 2] {
                machine.attached(
                    by: other,
                    number: 5,
                    job: job,
                    key: "",
                    choice: choice,
                    from: 1,
                    credit: 10,
                    into: &turn
                )
            }
        }
        guard case .accept(_, _, _, let stream, let seed, let choices) = effects.first else {
            Issue.record("the attach is not answered")
            return
        }
        #expect(stream.rawValue == 2)
        #expect(seed == GenerationRequest.seed(ofChoice: 1, of: 7))
        #expect(choices == 2)
        #expect(effects.replays == [1..<2])
        #expect(effects.rejections == [.invalidRequest])
    }

    @Test func `A cancel ends all streams of a job that have not ended`() throws {
        var bench = MachineBench()
        bench.register(10)
        let job = try #require(bench.submit(request: Self.request(3)).job)
        bench.step(10, 2, 0..<2, end: .stop)
        let effects = bench.tell {
            $0.cancelRequested(by: MachineBench.client, number: 9, job: job, at: $1, into: &$2)
        }
        #expect(effects.ends.map(\.reason) == [.cancelled, .cancelled])
        #expect(effects.last == .done(MachineBench.client, request: 9))
        #expect(bench.turn.revocations.first?.streams == [1, 3])
        #expect(bench.machine.counters.cancelled == 2)
        #expect(bench.machine.counters.completed == 1)
    }

    @Test func `A job is taken whole or not at all`() {
        var bench = MachineBench { $0.admission.streams = 5 }
        #expect(bench.submit("a", request: Self.request(6)).rejections == [.overloaded])
        #expect(bench.machine.counters.queued == 0)
        #expect(bench.submit("b", number: 2, request: Self.request(5)).job != nil)
        #expect(bench.machine.counters.queued == 5)
        #expect(bench.submit("c", number: 3, request: Self.request(1)).rejections == [.overloaded])
        var narrow = MachineBench { $0.streamsPerClient = 2 }
        #expect(narrow.submit("a", request: Self.request(3)).rejections == [.overloaded])
        #expect(narrow.submit("b", request: Self.request(2)).job != nil)
        // The same job again is followed as it is already.
        #expect(narrow.submit("b", request: Self.request(2)).job != nil)
    }

    @Test func `A stream fails over without its siblings`() {
        var bench = MachineBench()
        bench.register(10, slots: 1)
        bench.register(11, slots: 1)
        let effects = bench.submit(request: Self.request(2))
        #expect(effects.assignments == [[10, 1, 1, 0], [11, 2, 1, 0]])
        bench.step(10, 1, 0..<2)
        bench.step(11, 2, 0..<3)
        bench.register(12, slots: 1)
        #expect(bench.lose(11, beating: 10..<13).assignments == [[12, 2, 2, 3]])
        #expect(bench.step(10, 1, 2..<3, end: .stop).ends.first?.attempts == 1)
        #expect(bench.step(12, 2, epoch: 2, 3..<4, end: .stop).ends.first?.attempts == 2)
    }

    @Test func `A job is forgotten as a whole, once its last stream has ended`() throws {
        var bench = MachineBench { $0.retainedStreams = 2 }
        bench.register(10)
        let job = try #require(bench.submit("a", request: Self.request(3)).job)
        bench.step(10, 1, 0..<1, end: .stop)
        bench.step(10, 2, 0..<1, end: .stop)
        bench.pass(.milliseconds(50), beating: [MachineBench.peer(10)])
        #expect(bench.machine.streamCount == 3)
        bench.step(10, 3, 0..<1, end: .stop)
        bench.pass(.milliseconds(25), beating: [MachineBench.peer(10)])
        #expect(bench.machine.streamCount == 0)
        let forgotten = bench.turn.records.compactMap { if case .forgotten(let stream) = $0 { stream } else { nil } }
        #expect(forgotten.map(\.rawValue) == [1, 2, 3])
        let effects = bench.tell {
            $0.attached(by: MachineBench.client, number: 1, job: job, key: "", from: 0, credit: 1, into: &$2)
        }
        #expect(effects.rejections == [.notFound])
        // The key begins another job.
        #expect(bench.submit("a", request: Self.request(1)).assignments.map { $0[1] } == [4])
    }

    @Test func `A journal brings all streams of a job back`() {
        var bench = MachineBench()
        bench.register(10)
        bench.submit(request: Self.request(3, seed: nil))
        var records = bench.turn.records
        bench.step(10, 2, 0..<2, end: .stop)
        let tokens = bench.turn.tokens
        records += bench.turn.records
        var machine = CoordinatorMachine(settings: CoordinatorSettings(secret: 42))
        for _ in 0..<2 {
            for columns in tokens { machine.replayed(columns) }
            for record in records { machine.replayed(record) }
        }
        machine.recovered(at: bench.now)
        #expect(machine.durableStreams.map(\.stream) == bench.machine.durableStreams.map(\.stream))
        #expect(machine.durableStreams.map(\.seed) == bench.machine.durableStreams.map(\.seed))
        #expect(machine.durableStreams.map { $0.end != nil } == [false, true, false])
        #expect(machine.counters.queued == 2)
        // The next job's number is behind them.
        var other = MachineBench()
        other.machine = machine
        other.tell { machine, _, _ in _ = machine.clientJoined(MachineBench.client, name: "test") }
        guard case .accept(_, _, _, let next, _, _) = other.submit("next").first else {
            Issue.record("the next job is not accepted")
            return
        }
        #expect(next.rawValue == 4)
    }

    @Test func `A sibling goes where the prompt is computed already, although another worker is idle`() {
        for (length, worker) in [(400, 10), (4, 11)] as [(Int, UInt64)] {
            let prompt = String(repeating: "a long and common prompt ", count: length)
            var bench = MachineBench()
            bench.register(10, slots: 2, context: 20_000)
            #expect(bench.submit(request: Self.request(3, prompt: prompt)).assignments.count == 2)
            bench.step(10, 1, 0..<1)
            bench.step(10, 2, 0..<1)
            let effects = bench.tell { machine, now, turn in
                let end = MachineBench.report(2, epoch: 1, 1..<2, end: .stop)
                machine.stepReceived(end, from: MachineBench.peer(10), at: now, into: &turn)
                let other = WorkerRegistration(
                    name: WorkerName(unchecked: "w11"),
                    incarnation: Incarnation(rawValue: 11),
                    model: MachineBench.model,
                    slots: 4,
                    contextTokens: 20_000,
                    fingerprint: MachineBench.fingerprint,
                    exactness: .exact,
                    engine: "simulated",
                    processID: 1,
                    host: "host"
                )
                machine.registered(other, held: [], from: MachineBench.peer(11), at: now, into: &turn)
            }
            #expect(effects.assignments == [[worker, 3, 1, 0]])
        }
    }
}
