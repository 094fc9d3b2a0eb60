import ApusCore
import ApusEngine
import ApusModel
import ApusProtocol
import Synchronization

/// What the engine's thread shows of itself while it works, so that beats tell a long step from a hung one.
final class EngineGauge: Sendable {
    private let passes = Atomic<UInt64>(0)
    private let works = Atomic<Bool>(false)
    private let memory = Atomic<UInt64>(0)
    private let memoryState = Mutex((level: MemoryLevel?.none, isRefusing: false))
    private let shown = Mutex((load: Load(), counters: PipelineCounters()))

    /// What changes from step to step.
    struct Load: Sendable {
        var active = 0
        var batchSize = 0
        var batchLimit = 0
        var step: Duration = .zero
        var policy = BatchPolicy.cost
        var bound: StepBound?
        var cacheBytes = 0
    }

    /// Forward passes and commands so far; stands still while the engine hangs.
    var progress: UInt64 { passes.load(ordering: .relaxed) }

    /// Whether the engine's thread has something to do.
    var isBusy: Bool { works.load(ordering: .relaxed) }

    /// Notes a sign of progress.
    func advance() {
        passes.add(1, ordering: .relaxed)
    }

    /// Notes whether there is something to do.
    func show(busy: Bool) {
        works.store(busy, ordering: .relaxed)
    }

    /// Notes the process's memory.
    func show(memoryBytes: UInt64) {
        memory.store(memoryBytes, ordering: .relaxed)
    }

    /// Notes how short memory is, and whether new work is refused for it.
    func show(memory level: MemoryLevel, isRefusing: Bool) {
        memoryState.withLock { $0 = (level, isRefusing) }
    }

    /// Notes what the pipeline has counted so far.
    func show(_ counters: PipelineCounters) {
        shown.withLock { $0.counters = counters }
    }

    /// Notes the load.
    func show(_ load: Load) {
        shown.withLock { $0.load = load }
    }

    /// The gauge as a step without tokens.
    var step: Apus_V1_Step {
        let (load, counters) = shown.withLock { $0 }
        var step = Apus_V1_Step()
        step.progress = progress
        step.busy = isBusy
        step.load.active = UInt32(clamping: load.active)
        step.load.batchSize = UInt32(clamping: load.batchSize)
        step.load.batchLimit = UInt32(clamping: load.batchLimit)
        step.load.stepUs = load.step.wireMicroseconds
        step.load.memoryBytes = self.memory.load(ordering: .relaxed)
        step.load.policy = load.policy.rawValue
        step.load.bound = load.bound?.rawValue ?? ""
        step.load.cacheBytes = UInt64(clamping: load.cacheBytes)
        let memory = memoryState.withLock { $0 }
        step.load.memory = memory.level?.rawValue ?? ""
        step.load.refusing = memory.isRefusing
        step.load.prefilledTokens = counters.prefilledTokens
        step.load.promptTokens = counters.promptTokens
        step.load.cachedTokens = counters.cachedTokens
        step.load.grantedAhead = counters.grantedAhead
        step.load.granted = counters.granted
        step.load.drafted = counters.draftedTokens
        step.load.accepted = counters.acceptedTokens
        step.load.errors = counters.errors
        step.load.recovered = counters.recovered
        return step
    }
}
