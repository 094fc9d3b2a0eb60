import ApusCore
import ApusModel
import Testing

@Suite struct CreditTests {
    @Test func `A consumer gets no token beyond its credit, and the rest when it grants more`() {
        var bench = MachineBench()
        bench.register(10)
        bench.submit(credit: 3)
        bench.step(10, 1, 0..<3)
        #expect(bench.sent() == [1: [0..<3]])
        bench.step(10, 1, 3..<5)
        #expect(bench.sent().isEmpty)
        #expect(bench.turn.tokens.first?.tokens == 2)
        let effects = bench.tell { $0.credited(by: MachineBench.client, streams: [1], limits: [4], into: &$2) }
        #expect(effects.replays == [3..<4])
        bench.tell { $0.credited(by: MachineBench.client, streams: [1], limits: [10], into: &$2) }
        #expect(bench.turn.effects.replays == [4..<5])
        bench.step(10, 1, 5..<6)
        #expect(bench.sent() == [1: [5..<6]])
    }

    @Test func `A batch that crosses the credit is cut there`() {
        var bench = MachineBench()
        bench.register(10)
        bench.submit(credit: 2)
        bench.step(10, 1, 0..<5)
        #expect(bench.sent() == [1: [0..<2]])
        #expect(bench.turn.outgoing[0].text == Array("<0><1>".utf8))
        bench.tell { $0.credited(by: MachineBench.client, streams: [1], limits: [9], into: &$2) }
        #expect(bench.turn.effects.replays == [2..<5])
    }

    @Test func `A worker may compute no further than the fastest consumer and its own window`() {
        var bench = MachineBench { $0.workerWindow = 8 }
        bench.register(10)
        guard case .assign(_, _, _, _, _, let limit) = bench.submit(credit: 5).last else {
            Issue.record("nothing was assigned")
            return
        }
        #expect(limit == 5)
        bench.step(10, 1, 0..<5)
        #expect(bench.turn.acknowledgements.isEmpty)
        bench.tell { $0.credited(by: MachineBench.client, streams: [1], limits: [100], into: &$2) }
        #expect(bench.turn.acknowledgements.first?.first == [5])
        #expect(bench.turn.acknowledgements.first?.second == [13])
        // The next acknowledgement comes when half of the window is used.
        bench.step(10, 1, 5..<9)
        #expect(bench.turn.acknowledgements.isEmpty)
        bench.step(10, 1, 9..<10)
        #expect(bench.turn.acknowledgements.first?.second == [18])
    }

    @Test func `The end waits until the consumer has every token`() {
        var bench = MachineBench()
        bench.register(10)
        bench.submit(credit: 1)
        #expect(bench.step(10, 1, 0..<3, end: .stop).ends.isEmpty)
        #expect(bench.machine.counters.completed == 1)
        let effects = bench.tell { $0.credited(by: MachineBench.client, streams: [1], limits: [3], into: &$2) }
        #expect(effects.replays == [1..<3])
        #expect(effects.ends.count == 1)
    }

    @Test func `A blocked client gets its tokens from the journal when its connection takes them`() {
        var bench = MachineBench()
        bench.register(10)
        bench.submit()
        bench.machine.clientBlocked(MachineBench.client)
        bench.step(10, 1, 0..<2)
        #expect(bench.sent().isEmpty)
        bench.step(10, 1, 2..<3, end: .stop)
        #expect(bench.turn.effects.ends.isEmpty)
        let effects = bench.tell { machine, _, _ in machine.clientUnblocked(MachineBench.client) }
        #expect(effects.replays == [0..<3])
        #expect(effects.ends.count == 1)
    }

    @Test func `A stream that nobody follows runs on, and can be followed from any index`() throws {
        var bench = MachineBench { $0.workerWindow = 4 }
        bench.register(10)
        let job = try #require(bench.submit(credit: 2).job)
        bench.step(10, 1, 0..<2)
        bench.tell { $0.clientLost(MachineBench.client, into: &$2) }
        #expect(bench.turn.acknowledgements.first?.second == [6])
        bench.step(10, 1, 2..<6)
        let other = ClientPeer(rawValue: 2)
        let effects = bench.tell {
            _ = $0.clientJoined(other, name: nil)
            $0.attached(by: other, number: 9, job: job, key: "", from: 3, credit: 100, into: &$2)
        }
        #expect(effects.job == job)
        #expect(effects.replays == [3..<6])
        bench.step(10, 1, 6..<7)
        #expect(bench.sent(to: other) == [1: [6..<7]])
        let beyond = bench.tell {
            $0.attached(by: other, number: 9, job: job, key: "", from: 8, credit: 100, into: &$2)
        }
        #expect(beyond.rejections == [.invalidRequest])
    }

    @Test func `A stream that waits for its reader gives its slot to others, and goes on when it may`() {
        var bench = MachineBench()
        bench.register(10, slots: 1)
        bench.submit("slow", credit: 2)
        bench.step(10, 1, 0..<2)
        #expect(bench.submit("other", number: 2).assignments.isEmpty)
        let parked = bench.pass(.milliseconds(400), beating: [MachineBench.peer(10)])
        #expect(parked.assignments == [[10, 2, 1, 0]])
        #expect(bench.machine.counters.parked == 1)
        #expect(bench.machine.counters.queued == 0)
        // Nothing happens to it while its reader stands still; with credit it waits for the slot like any other.
        #expect(bench.pass(.milliseconds(400), beating: [MachineBench.peer(10)]).assignments.isEmpty)
        bench.tell { $0.credited(by: MachineBench.client, streams: [1], limits: [50], into: &$2) }
        #expect(bench.machine.counters.queued == 1)
        let after = bench.step(10, 2, 0..<1, end: .stop)
        #expect(after.assignments == [[10, 1, 2, 2]])
        let end = bench.step(10, 1, epoch: 2, 2..<3, end: .stop).ends.first
        #expect(end?.continuity == .exact)
        #expect(bench.machine.counters.failovers == 0)
    }

    @Test func `A parked stream can be cancelled and expires`() throws {
        var bench = MachineBench()
        bench.register(10, slots: 1)
        let request = GenerationRequest(prompt: "p", maximumTokens: 100, deadline: .seconds(2))
        let job = try #require(bench.submit("slow", request: request, credit: 0).job)
        bench.submit("expiring", number: 2, request: request, credit: 0)
        bench.submit("other", number: 3)
        bench.pass(.milliseconds(700), beating: [MachineBench.peer(10)])
        #expect(bench.machine.counters.parked == 2)
        bench.tell { $0.cancelRequested(by: MachineBench.client, number: 9, job: job, at: $1, into: &$2) }
        #expect(bench.machine.counters.parked == 1)
        #expect(bench.pass(.seconds(2), beating: [MachineBench.peer(10)]).ends.first?.reason == .expired)
        #expect(bench.machine.counters.parked == 0)
    }

    @Test func `A client that detaches holds a stream back no longer`() {
        var bench = MachineBench { $0.workerWindow = 4 }
        bench.register(10)
        bench.submit(credit: 2)
        bench.step(10, 1, 0..<2)
        #expect(bench.turn.acknowledgements.isEmpty)
        bench.tell { machine, _, turn in machine.detached(by: MachineBench.client, streams: [1, 99], into: &turn) }
        #expect(bench.turn.acknowledgements.first?.second == [6])
        bench.step(10, 1, 2..<3)
        #expect(bench.sent().isEmpty)
    }

    @Test func `Tokens that come in the turn of an attach reach the client after its acceptance`() throws {
        var bench = MachineBench()
        bench.register(10)
        let job = try #require(bench.submit().job)
        bench.step(10, 1, 0..<2)
        let other = ClientPeer(rawValue: 2)
        let effects = bench.tell {
            _ = $0.clientJoined(other, name: nil)
            $0.attached(by: other, number: 9, job: job, key: "", from: 2, credit: 100, into: &$2)
            $0.stepReceived(MachineBench.report(1, epoch: 1, 2..<4), from: MachineBench.peer(10), at: $1, into: &$2)
        }
        #expect(bench.sent(to: other).isEmpty)
        #expect(bench.sent() == [1: [2..<4]])
        #expect(effects.job == job)
        #expect(effects.replays == [2..<4])
    }
}
