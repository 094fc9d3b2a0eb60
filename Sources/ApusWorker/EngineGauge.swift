import ApusEngine
import ApusModel
import ApusProtocol
import Synchronization

/// What the engine's thread shows of itself while it works, so that beats tell a long step from a hung one.
final class EngineGauge: Sendable {
    private let passes = Atomic<UInt64>(0)
    private let works = Atomic<Bool>(false)
    private let memory = Atomic<UInt64>(0)
    private let prefilled = Atomic<UInt64>(0)
    private let shown = Mutex(Load())

    /// What changes from step to step.
    struct Load: Sendable {
        var active = 0
        var batchSize = 0
        var batchLimit = 0
        var step: Duration = .zero
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

    /// Notes the tokens of prompts and histories that the engine has computed so far.
    func show(prefilledTokens: UInt64) {
        prefilled.store(prefilledTokens, ordering: .relaxed)
    }

    /// Notes the load.
    func show(_ load: Load) {
        shown.withLock { $0 = load }
    }

    /// The gauge as a step without tokens.
    var step: Apus_V1_Step {
        let load = shown.withLock { $0 }
        var step = Apus_V1_Step()
        step.progress = progress
        step.busy = isBusy
        step.load.active = UInt32(clamping: load.active)
        step.load.batchSize = UInt32(clamping: load.batchSize)
        step.load.batchLimit = UInt32(clamping: load.batchLimit)
        step.load.stepUs = load.step.wireMicroseconds
        step.load.memoryBytes = memory.load(ordering: .relaxed)
        step.load.prefilledTokens = prefilled.load(ordering: .relaxed)
        return step
    }
}
