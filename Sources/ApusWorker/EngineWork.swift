import ApusCore
import ApusEngine
import ApusModel
import ApusProtocol

/// What the engine's thread does and keeps; it never leaves the thread.
struct EngineWork {
    /// Steps whose forecast, three times what is likely, is less may share a frame with the next one.
    private static let briefStep: Duration = .milliseconds(3)

    /// The coordinator is told of steps with a longer forecast before they begin, so that it waits for them.
    private static let longStep: Duration = .milliseconds(100)

    /// Tokens that are never held back for a fuller frame.
    private static let fullFrame = 4_096

    /// Between two brief steps a frame goes out only so long after the last one: a frame a step would cost more than its tokens.
    private static let frameInterval: Duration = .microseconds(100)

    private let loop: EngineLoop
    private var pipeline: Pipeline
    private var measurements = StepMeasurements()
    private var measurementsDue: Timestamp
    /// The session to deliver for; `nil`: nobody listens, and tokens only wait for their acknowledgement.
    private var session: UInt64?
    /// The ends that are not delivered yet, of one or several steps; the tokens wait in the pipeline.
    private var ends: [AttemptEnd] = []
    private var firstTokens: [FirstToken] = []
    /// When something was delivered last.
    private var delivered = Timestamp.zero
    private var result = StepResult()
    private var isDraining = false
    private var isStopped = false
    private var batchSize = 0
    private var bound = StepBoundClassifier()
    /// Time of the steps since the last measurement of sending.
    private var computed = Duration.zero

    /// Takes the engine over, on its thread.
    init(loop: EngineLoop, engine: any InferenceEngine) {
        self.loop = loop
        let gauge = loop.gauge
        pipeline = Pipeline(
            engine: engine,
            batch: loop.batch,
            prefixCacheBytes: loop.prefixCacheBytes,
            clock: MonotonicClock.now,
            passCompleted: { gauge.advance() }
        )
        measurementsDue = MonotonicClock.now() + loop.measurementInterval
    }

    /// Works until it is told to stop.
    mutating func run() {
        while true {
            for command in loop.mailbox.take() {
                // Tokenising a long prompt is work as well, and hangs visibly where it hangs.
                loop.gauge.show(busy: true)
                perform(command)
                loop.gauge.advance()
            }
            if isStopped { return }
            let expected = loop.outbox.isFull ? nil : pipeline.prepare()
            show(expected)
            guard let expected else {
                rest()
                continue
            }
            if expected > Self.briefStep { deliver(announcing: expected > Self.longStep) }
            pipeline.perform(into: &result)
            collect()
            if isDeliveryDue { deliver() }
        }
    }

    private func show(_ expected: Duration?) {
        loop.gauge.show(
            EngineGauge.Load(
                active: pipeline.seated,
                batchSize: batchSize,
                batchLimit: pipeline.batchLimit,
                step: expected ?? .zero,
                policy: pipeline.batchPolicy,
                bound: bound.bound,
                cacheBytes: pipeline.prefixCacheBytes
            )
        )
        loop.gauge.show(busy: expected != nil)
    }

    /// Nothing to do: says what is left to say and sleeps until there is a command.
    private mutating func rest() {
        deliver()
        if isDraining, pipeline.present == 0 {
            isDraining = false
            loop.outbox.append(.drained)
            loop.wake()
        }
        let now = MonotonicClock.now()
        if !measurements.isEmpty, now >= measurementsDue {
            send([loop.gauge.step], now: now)
        }
        // Where nobody listens, nothing is due.
        let delivery = session == nil ? nil : pipeline.deliveryDue
        let due = [measurements.isEmpty ? nil : measurementsDue, delivery].compactMap { $0 }.min()
        loop.mailbox.wait(timeout: due.map { max(.zero, $0 - now) })
    }

    private mutating func perform(_ command: EngineCommand) {
        switch command {
        case .start(let assignment):
            // A draining worker's streams are leased elsewhere at its Bye.
            if !isDraining { pipeline.start(assignment) }
        case .refuse(let stream, let epoch, let next, let error):
            pipeline.refuse(stream: stream, epoch: epoch, next: next, error: error)
        case .revoke(let attempts):
            for attempt in attempts { pipeline.revoke(stream: attempt.stream, epoch: attempt.epoch) }
        case .acknowledge(let rows):
            for row in rows {
                pipeline.acknowledge(stream: row.stream, through: row.through, limit: row.limit)
            }
        case .configure(let settings):
            pipeline.configure(settings)
        case .memory(let effects, let level, let residentBytes):
            pipeline.memoryMeasured(bytes: residentBytes)
            pipeline.memoryChanged(effects, level: level)
        case .transferMeasured(let time):
            bound.stepMeasured(compute: computed, transfer: time)
            computed = .zero
        case .describe(let next):
            session = nil
            ends.removeAll()
            firstTokens.removeAll()
            loop.outbox.append(.described(session: next, held: pipeline.held))
            loop.wake()
        case .resume(let next, let keep):
            pipeline.keep(only: keep.map { ($0.stream, $0.epoch) })
            session = next
            // What waits is among what is not acknowledged.
            ends.removeAll()
            firstTokens.removeAll()
            pipeline.reportBlocksAgain()
            let unacknowledged = pipeline.unacknowledged()
            deliver(unacknowledged.tokens, unacknowledged.ends)
        case .drain:
            isDraining = true
        case .stop:
            isStopped = true
        }
    }

    /// Takes a step's result into what is to be delivered.
    private mutating func collect() {
        measurements.record(result)
        if result.batchSize > 0 { batchSize = result.batchSize }
        computed += result.stepTime
        // Before the step's tokens go out: with a prompt's first token the coordinator knows the prompt computed.
        loop.gauge.show(pipeline.counters)
        // Where nobody listens, ends and tokens wait in the pipeline.
        if session != nil {
            ends += result.ends
            firstTokens += result.firstTokens
        }
    }

    /// Whether the tokens so far are worth a frame, if the next step is brief as well.
    private var isDeliveryDue: Bool {
        if pipeline.untakenTokens >= Self.fullFrame { return true }
        return loop.outbox.isEmpty && MonotonicClock.now() - delivered >= Self.frameInterval
    }

    /// Sends what waits; where it announces a step, a message goes out even without tokens: it carries the forecast.
    private mutating func deliver(announcing: Bool = false) {
        guard session != nil else { return }
        var tokens = TokenColumns()
        pipeline.takeTokens(into: &tokens)
        deliver(tokens, ends, announcing: announcing)
        ends.removeAll(keepingCapacity: true)
        firstTokens.removeAll(keepingCapacity: true)
    }

    private mutating func deliver(_ tokens: TokenColumns, _ ends: [AttemptEnd], announcing: Bool = false) {
        let blocks = pipeline.takeChangedBlocks()
        guard announcing || !tokens.isEmpty || !ends.isEmpty || !blocks.cached.isEmpty || !blocks.evicted.isEmpty
        else { return }
        let now = MonotonicClock.now()
        delivered = now
        var steps = StepFrames.cut(tokens, ends, template: loop.gauge.step)
        if steps.isEmpty { steps.append(loop.gauge.step) }
        steps[0].cachedBlocks = blocks.cached
        steps[0].evictedBlocks = blocks.evicted
        if !firstTokens.isEmpty { steps[0].firstTokens = firstTokens.map { Apus_V1_FirstToken($0) } }
        send(steps, now: now)
    }

    private mutating func send(_ steps: [Apus_V1_Step], now: Timestamp) {
        guard let session else {
            // Nobody to send to; the measurements wait for the next session.
            measurementsDue = now + loop.measurementInterval
            return
        }
        var steps = steps
        if now >= measurementsDue, !steps.isEmpty {
            measurementsDue = now + loop.measurementInterval
            measurements.drain(into: &steps[0])
        }
        var frames: [Outbox.Frame] = []
        for step in steps {
            do throws(ApusError) {
                let bytes = try EnvelopeCodec.encode(Apus_V1_Envelope(.step(step)))
                frames.append(Outbox.Frame(session: session, bytes: bytes))
            } catch {
                // The cut keeps every message below a frame; one that is not is a bug here.
                preconditionFailure("a step could not be encoded: \(error)")
            }
        }
        loop.outbox.append(frames)
        loop.wake()
    }
}
