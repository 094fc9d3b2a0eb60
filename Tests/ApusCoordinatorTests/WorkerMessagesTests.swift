import ApusCore
import ApusModel
import ApusProtocol
import Testing

@testable import ApusCoordinator

@Suite struct WorkerMessagesTests {
    private func end(_ change: (inout Apus_V1_AttemptEnd) -> Void) -> AttemptEnd {
        var wire = Apus_V1_AttemptEnd()
        wire.stream = 5
        wire.epoch = 2
        wire.reason = "stop"
        change(&wire)
        return AttemptEnd(wire)
    }

    @Test func `An end's index is told apart from none`() {
        #expect(end { _ in }.endIndex == nil)
        #expect(end { $0.endIndex = 0 }.endIndex == 0)
        #expect(end { $0.endIndex = 41 }.endIndex == 41)
        #expect(end { $0.endIndex = .max }.endIndex == .max)
    }

    @Test func `A prompt's tokens are believed up to what a frame could hold`() {
        #expect(end { $0.promptTokens = 12 }.promptTokens == 12)
        #expect(end { $0.promptTokens = .max }.promptTokens == Limits.promptTokens)
    }

    @Test func `A word that stands for no reason is a failure that says so`() {
        let unknown = end { $0.reason = "vanished" }
        #expect(unknown.reason == .failed)
        #expect(unknown.error?.code == .engineFailure)
        #expect(unknown.error?.message.contains("vanished") == true)
    }

    @Test func `A step expected to last longer than a minute buys no more patience`() throws {
        var step = Apus_V1_Step()
        step.load.stepUs = .max
        step.load.prefilledTokens = .max
        step.load.memoryBytes = .max
        step.load.batchSize = .max
        let load = try StepReport(step).load
        #expect(load.stepTime == .seconds(60))
        #expect(load.prefilledTokens == .max)
        #expect(load.batchSize == Int(UInt32.max))
    }

    @Test func `Columns without epochs, and more blocks than a message may name, are violations`() {
        var rows = Apus_V1_Step()
        rows.tokens.streams = [1]
        rows.tokens.firstIndexes = [0]
        rows.tokens.counts = [1]
        rows.tokens.ids = [1]
        rows.tokens.textLengths = [0]
        var blocks = Apus_V1_Step()
        blocks.cachedBlocks = Array(repeating: 1, count: Limits.blocksPerStep)
        blocks.evictedBlocks = [1]
        for step in [rows, blocks] {
            #expect { try StepReport(step) } throws: { ($0 as? ApusError)?.code == .protocolViolation }
        }
    }
}
