import ApusCore
import ApusEngine
import ApusModel
import Testing

/// Tokens that are computed before their consumer's credit comes.
@Suite("Pipeline, lookahead")
struct PipelineLookaheadTests {
    private func texts(_ count: Int, of stream: UInt64 = 1) -> String {
        SimulatedEngine.text(seed: stream, prompt: "tell me of swifts", count: count)
    }

    @Test("What is computed ahead goes out only as the limit is raised, and counts as granted ahead")
    func granting() {
        var pipeline = simulated()
        pipeline.start(assignment(1, tokens: 60, limit: 4))
        var collected = Collected()
        run(&pipeline, into: &collected)
        #expect(collected.ids[1]?.count == 4)
        #expect(pipeline.held.map(\.next) == [20])
        #expect(pipeline.counters.granted == 0)
        pipeline.acknowledge(1, through: 4, limit: 10)
        #expect(pipeline.counters.grantedAhead == 6)
        #expect(pipeline.counters.granted == 6)
        run(&pipeline, into: &collected)
        #expect(collected.ids[1]?.count == 10)
        #expect(pipeline.held.map(\.next) == [26])
        // A lower limit takes nothing back and gives nothing.
        pipeline.acknowledge(1, through: 10, limit: 7)
        run(&pipeline, into: &collected)
        #expect(collected.ids[1]?.count == 10)
        // More than is there: the stream stood at the end of its window, so that the rest had to be waited for.
        pipeline.acknowledge(1, through: 10, limit: 60)
        #expect(pipeline.counters.grantedAhead == 22)
        #expect(pipeline.counters.granted == 56)
        run(&pipeline, into: &collected)
        #expect(collected.text(1) == texts(60))
        #expect(collected.ends[1]?.endIndex == 60)
    }

    @Test("The end waits behind tokens that wait, while the slot is free again")
    func endWaits() {
        var pipeline = simulated(slots: 1)
        pipeline.start(assignment(1, tokens: 10, limit: 4))
        var collected = Collected()
        run(&pipeline, into: &collected)
        #expect(pipeline.unfinished == 0)
        #expect(pipeline.seated == 0)
        #expect(pipeline.present == 1)
        #expect(collected.ends.isEmpty)
        pipeline.acknowledge(1, through: 4, limit: 9)
        run(&pipeline, into: &collected)
        #expect(collected.ids[1]?.count == 9)
        #expect(collected.ends.isEmpty)
        #expect(pipeline.present == 1)
        pipeline.acknowledge(1, through: 9, limit: 12)
        var result = StepResult()
        let isMore = pipeline.step(into: &result)
        #expect(isMore)
        #expect(result.ends.map(\.endIndex) == [10])
        #expect(result.tokens.firstIndexes == [9])
        collected.take(result)
        #expect(collected.text(1) == texts(10))
        pipeline.acknowledge(1, through: 10, limit: 14)
        #expect(pipeline.present == 0)
        let isLeft = pipeline.step(into: &result)
        #expect(!isLeft)
    }

    @Test("A stream that fails ahead of its credit says so behind the tokens before")
    func failureWaits() {
        let engine = ScriptedEngine.ofX()
        var pipeline = scripted(engine)
        pipeline.start(assignment(1, limit: 2))
        var collected = Collected()
        run(&pipeline, steps: 8, into: &collected)
        engine.failingDraws = [0]
        run(&pipeline, into: &collected)
        #expect(engine.occupied.isEmpty)
        #expect(collected.ids[1]?.count == 2)
        #expect(collected.ends.isEmpty)
        pipeline.acknowledge(1, through: 2, limit: 50)
        run(&pipeline, into: &collected)
        #expect(collected.ends[1]?.reason == .failed)
        #expect(collected.ends[1]?.endIndex == collected.ids[1]?.count)
        #expect(pipeline.counters.grantedAhead == UInt64((collected.ids[1]?.count ?? 0) - 2))
    }

    @Test("Nothing is computed ahead while somebody waits for a slot; credit that was waited for counts as such")
    func waitingOnes() {
        var pipeline = simulated(slots: 1)
        pipeline.start(assignment(1, limit: 3))
        pipeline.start(assignment(2, limit: 3))
        #expect(run(&pipeline).ids.mapValues(\.count) == [1: 3])
        #expect(pipeline.held.map(\.next) == [3, 0])
        pipeline.acknowledge(1, through: 3, limit: 8)
        #expect(pipeline.counters.granted == 5)
        #expect(pipeline.counters.grantedAhead == 0)
        _ = run(&pipeline)
        #expect(pipeline.held.map(\.next) == [8, 0])
        pipeline.revoke(2)
        _ = run(&pipeline)
        #expect(pipeline.held.map(\.next) == [24])
    }

    @Test("What was computed ahead goes out at the grant even where no stream can move")
    func grantedWhileStill() {
        var pipeline = simulated(slots: 1)
        pipeline.start(assignment(1, tokens: 100, limit: 4))
        var collected = Collected()
        run(&pipeline, into: &collected)
        pipeline.start(assignment(2))
        pipeline.acknowledge(1, through: 4, limit: 8)
        run(&pipeline, into: &collected)
        #expect(collected.ids[1]?.count == 8)
        #expect(pipeline.held.map(\.next) == [20, 0])
    }

    @Test("Credit for a stream that isn't at its limit, or has ended there, is nobody's wait")
    func unawaitedCredit() {
        var pipeline = simulated(slots: 1)
        pipeline.start(assignment(1, tokens: 10, limit: 10))
        _ = run(&pipeline, steps: 4)
        pipeline.acknowledge(1, through: 0, limit: 11)
        _ = run(&pipeline)
        pipeline.acknowledge(1, through: 4, limit: 14)
        pipeline.start(assignment(2, tokens: 10, limit: 10))
        _ = run(&pipeline)
        pipeline.acknowledge(2, through: 4, limit: 14)
        #expect(pipeline.counters.granted == 0)
    }

    @Test("Revoked, replaced or not kept, a stream takes what it computed ahead with it")
    func revocation() {
        for isEnded in [false, true] {
            for way in 0..<3 {
                let engine = ScriptedEngine.ofX()
                var pipeline = scripted(engine)
                pipeline.start(assignment(1, tokens: isEnded ? 10 : 100, limit: 4))
                var collected = Collected()
                run(&pipeline, into: &collected)
                #expect(engine.occupied.isEmpty == isEnded)
                switch way {
                case 0: pipeline.revoke(1)
                case 1: pipeline.keep(only: [])
                default: pipeline.start(assignment(1, tokens: 8, epoch: 2, history: [0, 0, 0, 0], limit: 6))
                }
                pipeline.acknowledge(1, through: 4, limit: 7)
                let rest = run(&pipeline)
                #expect(engine.occupied.isEmpty)
                if way < 2 {
                    #expect(rest.ids.isEmpty)
                    #expect(rest.ends.isEmpty)
                    #expect(pipeline.present == 0)
                } else {
                    #expect(rest.firstIndex == [1: 4])
                    #expect(rest.ids[1]?.count == 3)
                    #expect(rest.ends.isEmpty)
                    pipeline.acknowledge(1, through: 7, limit: 8)
                    #expect(run(&pipeline).ends[1]?.epoch == Epoch(rawValue: 2))
                }
            }
        }
    }

    @Test("An end that waits for the next step isn't said once its attempt is revoked, replaced or not kept")
    func revokedEnd() {
        for way in 0..<3 {
            var pipeline = simulated()
            // The end of one waited for its credit, which has come; the other had nothing left to compute.
            pipeline.start(assignment(1, tokens: 10, limit: 4))
            _ = run(&pipeline)
            pipeline.acknowledge(1, through: 4, limit: 20)
            pipeline.start(assignment(2, tokens: 2, history: [0, 0]))
            for stream in [1, 2] as [UInt64] {
                switch way {
                case 0: pipeline.revoke(stream)
                case 1: pipeline.keep(only: [])
                default: pipeline.start(assignment(stream, epoch: 2, limit: 1))
                }
            }
            let rest = run(&pipeline)
            #expect(rest.ends.isEmpty)
            #expect(rest.ids.mapValues(\.count) == (way < 2 ? [:] : [1: 1, 2: 1]))
        }
    }

    @Test("After a reconnect nothing beyond the limit goes out, nor an end behind it")
    func reconnect() {
        var pipeline = simulated()
        pipeline.start(assignment(1, tokens: 100, limit: 4))
        pipeline.start(assignment(2, tokens: 10, limit: 4))
        _ = run(&pipeline)
        for _ in 0..<3 {
            var again = Collected()
            again.take(pipeline.unacknowledged())
            #expect(again.ids.mapValues(\.count) == [1: 4, 2: 4])
            #expect(again.firstIndex == [1: 0, 2: 0])
            #expect(again.ends.isEmpty)
            #expect(run(&pipeline).ids.isEmpty)
        }
        pipeline.acknowledge(1, through: 4, limit: 6)
        pipeline.acknowledge(2, through: 3, limit: 10)
        var rest = Collected()
        run(&pipeline, into: &rest)
        #expect(rest.firstIndex == [1: 4, 2: 4])
        #expect(rest.ids.mapValues(\.count) == [1: 2, 2: 6])
        #expect(rest.ends[2]?.endIndex == 10)
        var again = Collected()
        again.take(pipeline.unacknowledged())
        #expect(again.firstIndex == [1: 4, 2: 3])
        #expect(again.ids.mapValues(\.count) == [1: 2, 2: 7])
        #expect(again.ends[2]?.endIndex == 10)
    }

    @Test("An end that is among what is not acknowledged isn't said again by the next step")
    func endOnceAfterReconnect() {
        var pipeline = simulated()
        pipeline.start(assignment(1, tokens: 10, limit: 4))
        _ = run(&pipeline)
        pipeline.acknowledge(1, through: 4, limit: 10)
        pipeline.start(assignment(2, tokens: 2, history: [0, 0]))
        pipeline.start(assignment(3, prompt: " "))
        var again = Collected()
        again.take(pipeline.unacknowledged())
        #expect(Set(again.ends.keys) == [1, 2])
        #expect(again.firstIndex == [1: 4])
        // Only the refusal, which nothing is kept of, is still to be said.
        #expect(Set(run(&pipeline).ends.keys) == [3])
    }

    @Test("A limit without end is one")
    func endlessLimit() {
        var pipeline = simulated()
        pipeline.start(assignment(1, tokens: 50, limit: .max))
        pipeline.start(assignment(2, tokens: 50, limit: 0))
        _ = run(&pipeline)
        pipeline.acknowledge(2, through: .max, limit: .max)
        #expect(run(&pipeline).ends[2]?.endIndex == 50)
    }
}
