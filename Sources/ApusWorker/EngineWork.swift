import ApusCore
import ApusEngine
import ApusModel
import ApusProtocol

/// What the engine's thread does and keeps; it never leaves the thread.
struct EngineWork {
    /// Steps that are expected to take less may share a frame with the next one.
    private static let briefStep: Duration = .milliseconds(1)

    /// Bytes of tokens that are never held back for a fuller frame.
    private static let fullFrame = 128 << 10

    private let loop: EngineLoop
    private var pipeline: Pipeline
    private var measurements = StepMeasurements()
    private var measurementsDue: Timestamp
    /// The session to deliver for; `nil`: nobody listens, and tokens only wait for their acknowledgement.
    private var session: UInt64?
    /// What is not delivered yet, of one or several steps.
    private var pending = StepResult()
    private var result = StepResult()
    private var isDraining = false
    private var isStopped = false
    private var batchSize = 0

    /// Takes the engine over, on its thread.
    init(loop: EngineLoop, engine: any InferenceEngine) {
        self.loop = loop
        let gauge = loop.gauge
        pipeline = Pipeline(
            engine: engine,
            batch: loop.batch,
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
            if expected > Self.briefStep { deliver() }
            pipeline.perform(into: &result)
            collect()
            if loop.outbox.isEmpty || pending.tokens.estimatedBytes > Self.fullFrame { deliver() }
        }
    }

    private func show(_ expected: Duration?) {
        loop.gauge.show(
            EngineGauge.Load(
                active: pipeline.seated,
                batchSize: batchSize,
                batchLimit: pipeline.batchLimit,
                step: expected ?? .zero
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
        loop.mailbox.wait(timeout: measurements.isEmpty ? nil : measurementsDue - now)
    }

    private mutating func perform(_ command: EngineCommand) {
        switch command {
        case .start(let assignment):
            // A draining worker's streams are leased elsewhere at its Bye.
            if !isDraining { pipeline.start(assignment) }
        case .refuse(let stream, let epoch, let error):
            pipeline.refuse(stream: stream, epoch: epoch, error: error)
        case .revoke(let attempts):
            for attempt in attempts { pipeline.revoke(stream: attempt.stream, epoch: attempt.epoch) }
        case .acknowledge(let rows):
            for row in rows {
                pipeline.acknowledge(stream: row.stream, through: row.through, limit: row.limit)
            }
        case .configure(let minimum, let maximum):
            pipeline.configure(minimum: minimum, maximum: maximum)
        case .describe(let next):
            session = nil
            pending.removeAll()
            loop.outbox.append(.described(session: next, held: pipeline.held))
            loop.wake()
        case .resume(let next, let keep):
            pipeline.keep(only: keep.map { ($0.stream, $0.epoch) })
            session = next
            // What waits is among what is not acknowledged.
            pending = pipeline.unacknowledged()
            deliver()
        case .drain:
            isDraining = true
        case .stop:
            isStopped = true
        }
    }

    /// Takes a step's result into what is to be delivered.
    private mutating func collect() {
        measurements.record(result)
        batchSize = result.batchSize
        guard session != nil else { return }
        if pending.tokens.isEmpty, pending.ends.isEmpty {
            swap(&pending, &result)
        } else {
            pending.tokens.append(result.tokens)
            pending.ends += result.ends
        }
    }

    private mutating func deliver() {
        guard !pending.tokens.isEmpty || !pending.ends.isEmpty else { return }
        let steps = StepFrames.cut(pending.tokens, pending.ends, template: loop.gauge.step)
        pending.removeAll()
        send(steps, now: MonotonicClock.now())
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

extension TokenColumns {
    /// Appends another value's rows.
    mutating func append(_ other: TokenColumns) {
        streams += other.streams
        epochs += other.epochs
        firstIndexes += other.firstIndexes
        counts += other.counts
        ids += other.ids
        textLengths += other.textLengths
        text += other.text
    }
}
