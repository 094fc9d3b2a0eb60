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

    @Test func `What a worker measured is believed up to what can be`() throws {
        var step = Apus_V1_Step()
        var first = Apus_V1_FirstToken()
        first.stream = 5
        first.epoch = 2
        first.tokenizeUs = .max
        first.dispatchUs = .max
        first.prefillUs = .max
        first.sampleUs = .max
        first.promptTokens = .max
        first.cachedTokens = .max
        step.firstTokens = [first]
        let report = try #require(try StepReport(step).firstTokens.first)
        #expect(report.stream.rawValue == 5)
        #expect(report.epoch.rawValue == 2)
        #expect(report.stages.total == .seconds(4 * 86_400))
        #expect(report.stages.promptTokens == Limits.promptTokens)
        #expect(report.stages.cachedTokens == Limits.promptTokens)
        step.firstTokens = Array(repeating: first, count: Limits.slots + 1)
        #expect { try StepReport(step) } throws: { ($0 as? ApusError)?.code == .protocolViolation }
    }

    @Test func `A summary is believed up to what can be, and absent where none came`() {
        #expect(end { _ in }.summary == nil)
        let summary = end {
            $0.summary.tokens = .max
            $0.summary.meanTokenUs = .max
            $0.summary.p95TokenUs = .max
            $0.summary.peakMemoryBytes = .max
            $0.summary.errors = 3
            $0.summary.recovered = .max
            $0.summary.batchSize = .max
            $0.summary.drafted = .max
            $0.summary.accepted = .max
            $0.summary.cachedTokens = .max
        }.summary
        #expect(summary?.tokens == Limits.maximumTokens)
        #expect(summary?.meanTokenTime == .seconds(86_400))
        #expect(summary?.p95TokenTime == .seconds(86_400))
        #expect(summary?.recovered == 3)
        #expect(summary?.batchSize == Limits.slots)
        #expect(summary?.acceptedTokens == summary?.draftedTokens)
        #expect(summary?.cachedTokens == Limits.promptTokens)
    }

    @Test func `A load's words are those of the protocol, or none`() throws {
        var load = Apus_V1_Load()
        load.memory = "pressure"
        load.bound = "transfer"
        load.policy = "cost"
        load.refusing = true
        #expect(load.printable == load)
        var step = Apus_V1_Step()
        step.load = load
        #expect(try StepReport(step).load.isRefusing)
        load.memory = "\u{1b}[2J"
        load.bound = String(repeating: "x", count: 100_000)
        load.policy = "magic"
        #expect(load.printable.memory.isEmpty)
        #expect(load.printable.bound.isEmpty)
        #expect(load.printable.policy.isEmpty)
        #expect(load.printable.refusing)
    }
}
