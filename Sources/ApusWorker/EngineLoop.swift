import ApusCore
import ApusEngine
import ApusModel
import Foundation

/// Runs an engine on a thread of its own: takes commands between steps and hands finished frames to the actor.
///
/// One crossing a step, never a token: a step's tokens are encoded here and wait in the outbox as one frame. Where steps
/// come faster than the actor takes them, or than every 100 microseconds, the tokens of several steps share a frame.
final class EngineLoop: Sendable {
    /// Commands to the thread.
    let mailbox = Mailbox()

    /// Frames and events from the thread.
    let outbox = Outbox()

    /// What the thread shows of itself.
    let gauge = EngineGauge()

    let batch: BatchController.Settings
    let prefixCacheBytes: Int
    let measurementInterval: Duration
    private let factory: @Sendable () throws -> any InferenceEngine
    let wake: @Sendable () -> Void

    /// Prepares the thread.
    ///
    /// - Parameters:
    ///   - batch: The batch controller's settings.
    ///   - prefixCacheBytes: Bytes that kept beginnings of prompts may take.
    ///   - measurementInterval: How often measurements travel.
    ///   - wake: Tells the actor that something is in the outbox.
    ///   - factory: Makes the engine; called on the thread.
    init(
        batch: BatchController.Settings,
        prefixCacheBytes: Int,
        measurementInterval: Duration,
        wake: @escaping @Sendable () -> Void,
        factory: @escaping @Sendable () throws -> any InferenceEngine
    ) {
        self.batch = batch
        self.prefixCacheBytes = prefixCacheBytes
        self.measurementInterval = measurementInterval
        self.wake = wake
        self.factory = factory
    }

    /// Starts the thread; it ends after `.stop` or when the engine can't be made, with the event `stopped`.
    func start() {
        let thread = Thread { self.run() }
        thread.name = "apus-engine"
        // Tokenisers and template engines recurse.
        thread.stackSize = 8 << 20
        thread.start()
    }

    private func run() {
        do {
            let engine = try factory()
            outbox.append(.ready(engine.description))
            wake()
            var work = EngineWork(loop: self, engine: engine)
            work.run()
        } catch {
            outbox.append(.failed(error as? ApusError ?? ApusError(.engineFailure, "\(error)")))
        }
        outbox.append(.stopped)
        wake()
    }
}
