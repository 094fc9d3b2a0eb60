import ApusCore
import ApusModel
import Testing

/// Corners that a review and attempts to break the cluster found.
@Suite struct EdgeTests {
    @Test func `A stream goes on only where its context is as large, while there is such a worker`() {
        var bench = MachineBench()
        bench.register(10, context: 2_000)
        bench.submit()
        bench.step(10, 1, 0..<3)
        bench.register(11, context: 500)
        bench.register(12, slots: 1, context: 2_000)
        bench.submit("other", number: 2)
        let lost = bench.tell { $0.workerUnreachable(MachineBench.peer(10), at: $1, into: &$2) }
        #expect(lost.assignments.contains([12, 1, 2, 3]))
    }

    @Test func `A smaller context is better than none, and not called exact`() {
        var bench = MachineBench()
        bench.register(10, context: 2_000)
        bench.submit()
        bench.step(10, 1, 0..<3)
        bench.register(11, context: 500)
        let lost = bench.tell { $0.workerUnreachable(MachineBench.peer(10), at: $1, into: &$2) }
        #expect(lost.assignments == [[11, 1, 2, 3]])
        #expect(bench.step(11, 1, epoch: 2, 3..<4, end: .stop).ends.first?.continuity == .consistent)
    }

    @Test func `A prompt that is too long for one worker goes to one with more room`() {
        var bench = MachineBench()
        bench.register(10, context: 100)
        bench.submit()
        bench.register(11, context: 1_000)
        let tooLong = ApusError(.promptTooLong, "200 tokens do not fit into 100")
        let moved = bench.step(10, 1, 0..<0, end: .failed, error: tooLong)
        #expect(moved.assignments == [[11, 1, 2, 0]])
        let final = bench.step(11, 1, epoch: 2, 0..<0, end: .failed, error: tooLong)
        #expect(final.ends.first?.error?.code == .promptTooLong)
    }

    @Test func `A follower that is behind when its job is forgotten hears of it`() throws {
        var bench = MachineBench { $0.retainedStreams = 0 }
        bench.register(10)
        bench.submit(credit: 1)
        bench.step(10, 1, 0..<5, end: .stop)
        let end = try #require(bench.pass(.milliseconds(25)).ends.first)
        #expect(end.reason == .failed)
        #expect(end.error?.code == .notFound)
    }

    @Test func `Followers hear of a cancellation before its answer, whatever their credit`() throws {
        var bench = MachineBench()
        bench.register(10)
        let job = try #require(bench.submit(credit: 1).job)
        bench.step(10, 1, 0..<5)
        let effects = bench.tell {
            $0.cancelRequested(by: MachineBench.client, number: 5, job: job, at: $1, into: &$2)
        }
        let finish = try #require(effects.firstIndex { if case .finish = $0 { true } else { false } })
        let done = try #require(effects.firstIndex(of: .done(MachineBench.client, request: 5)))
        #expect(finish < done)
        #expect(effects.replays.isEmpty)
    }

    @Test func `A kept attempt hears its limit again`() {
        var bench = MachineBench()
        bench.register(10, name: "w", incarnation: 1)
        bench.submit()
        let held = HeldAttempt(stream: StreamID(rawValue: 1), epoch: Epoch(rawValue: 1), next: 0)
        bench.register(12, name: "w", incarnation: 1, held: [held])
        #expect(bench.turn.acknowledgements.first?.streams == [1])
        #expect(bench.turn.acknowledgements.first?.second == [512])
    }

    @Test func `The fingerprint that computed the tokens is preferred, not one that only tried`() {
        let other = Fingerprint(high: 9, low: 9)
        var bench = MachineBench()
        bench.register(10)
        bench.submit()
        bench.step(10, 1, 0..<2)
        bench.register(11, fingerprint: other)
        bench.tell { $0.workerUnreachable(MachineBench.peer(10), at: $1, into: &$2) }
        bench.register(12, fingerprint: other)
        bench.register(13)
        #expect(bench.lose(11, beating: 12..<14).assignments == [[13, 1, 3, 2]])
    }

    @Test func `A worker that was never measured is thought to be like the others, and gets its share`() {
        var bench = MachineBench()
        bench.register(10, slots: 16)
        bench.submit("first", request: GenerationRequest(prompt: "p", maximumTokens: 500))
        bench.register(11, slots: 16)
        // A millisecond a step, so that any fixed guess for the other one would be too long.
        for index in 0..<200 {
            bench.now = bench.now + .milliseconds(1)
            bench.tell { machine, now, turn in
                var report = MachineBench.report(1, epoch: 1, index..<index + 1)
                report.progress = UInt64(index + 1)
                report.load.batchSize = 1
                machine.stepReceived(report, from: MachineBench.peer(10), at: now, into: &turn)
                machine.stepReceived(
                    .init(progress: 0, isBusy: false),
                    from: MachineBench.peer(11),
                    at: now,
                    into: &turn
                )
            }
        }
        for key in 0..<5 { bench.submit("k\(key)", number: UInt64(key + 2)) }
        #expect(bench.machine.workerViews.allSatisfy { $0.leases >= 2 })
    }

    @Test func `Jobs for a model that is not there yet wait for it without a queue of their own`() {
        var bench = MachineBench()
        for number in 0..<100 {
            let request = GenerationRequest(model: ModelName("m\(number)"), prompt: "p")
            bench.submit("k\(number)", number: UInt64(number + 1), request: request)
        }
        #expect(bench.register(10, model: ModelName(unchecked: "m7")).assignments == [[10, 8, 1, 0]])
        #expect(bench.machine.counters.queued == 99)
    }

    @Test func `A worker that gives streams back because it leaves does not get them again`() {
        var bench = MachineBench()
        bench.register(10)
        bench.submit()
        let leaving = ApusError(.shuttingDown, "leaving")
        #expect(bench.step(10, 1, 0..<0, end: .failed, error: leaving).assignments.isEmpty)
        #expect(bench.register(11).assignments == [[11, 1, 2, 0]])
    }

    @Test func `Workers that are gone are forgotten, and their places are used again`() {
        var bench = MachineBench { $0.goneWorkers = 2 }
        for number: UInt64 in 10..<20 {
            bench.register(number)
            bench.tell { $0.left(MachineBench.peer(number), at: $1, into: &$2) }
        }
        let effects = bench.pass(.milliseconds(25))
        #expect(effects.filter { if case .forgetWorker = $0 { true } else { false } }.count == 8)
        #expect(bench.machine.workerViews.map(\.registration.name.text) == ["w18", "w19"])
        bench.register(30)
        #expect(bench.submit().assignments == [[30, 1, 1, 0]])
    }

    @Test func `Prompts of unfinished jobs are bounded, and dropped at the end`() {
        var bench = MachineBench { $0.promptBytes = 10 }
        bench.register(10)
        let request = GenerationRequest(prompt: "12345678", maximumTokens: 5)
        #expect(bench.submit("a", request: request).job != nil)
        #expect(bench.submit("b", request: request).rejections == [.overloaded])
        bench.step(10, 1, 0..<1, end: .stop)
        #expect(bench.machine.counters.promptBytes == 0)
        // The key still knows its request.
        #expect(bench.submit("a", request: request).job != nil)
        let other = GenerationRequest(prompt: "87654321", maximumTokens: 5)
        #expect(bench.submit("a", request: other).rejections == [.keyConflict])
    }

    @Test func `Messages are bounded and dropped as prompts are, and their key knows them`() {
        var bench = MachineBench { $0.promptBytes = 12 }
        bench.register(10)
        func request(_ messages: [ChatMessage]) -> GenerationRequest {
            GenerationRequest(messages: messages, maximumTokens: 5)
        }
        #expect(bench.submit("a", request: request([.user("12"), .user("34")])).job != nil)
        #expect(bench.submit("b", request: request([.user("x")])).rejections == [.overloaded])
        bench.step(10, 1, 0..<1, end: .stop)
        #expect(bench.machine.counters.promptBytes == 0)
        #expect(bench.submit("a", request: request([.user("12"), .user("34")])).job != nil)
        #expect(bench.submit("a", request: request([.user("34"), .user("12")])).rejections == [.keyConflict])
        #expect(bench.submit("a", request: request([.user("12")])).rejections == [.keyConflict])
    }

    @Test func `One client's replays do not fill a turn`() {
        var bench = MachineBench { $0.replayTokens = 4 }
        bench.register(10)
        bench.submit(credit: 0)
        bench.step(10, 1, 0..<6)
        bench.tell { $0.credited(by: MachineBench.client, streams: [1], limits: [100], into: &$2) }
        #expect(bench.turn.effects.replays == [0..<4])
        #expect(bench.machine.hasWork)
        #expect(bench.tell { _, _, _ in }.replays == [4..<6])
    }
}
