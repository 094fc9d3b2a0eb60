import ApusModel
import Testing

@testable import ApusCore

@Suite("Worker pace")
struct WorkerPaceTests {
    /// A worker whose passes take what the test says, and that reports after each.
    private struct Engine {
        var pace = WorkerPace()
        var now: Int64 = 1_000_000
        var progress: UInt64 = 0
        var prefilled: UInt64 = 0
        var wasSlow = false

        mutating func pass(_ milliseconds: Double, batch: Int = 1, tokens: UInt64 = 0, isBusy: Bool = true) {
            now += Int64(milliseconds * 1e6)
            progress += 1
            prefilled += tokens
            pace.observed(
                progress: progress,
                prefilledTokens: prefilled,
                batchSize: batch,
                isBusy: isBusy,
                at: Timestamp(nanoseconds: now)
            )
            wasSlow = wasSlow || pace.isSlow
        }

        mutating func passes(_ count: Int, _ milliseconds: Double, batch: Int = 1) {
            for _ in 0..<count { pass(milliseconds, batch: batch) }
        }

        mutating func run(seconds: Double, _ milliseconds: Double, batch: Int = 1) {
            passes(Int(seconds * 1_000 / milliseconds), milliseconds, batch: batch)
        }
    }

    private static func near(_ time: Duration, _ milliseconds: Double, within part: Double = 0.05) -> Bool {
        abs(time.milliseconds - milliseconds) <= milliseconds * part
    }

    @Test("Before anything is known, predictions are neutral and grow with batch and tokens")
    func defaults() {
        let pace = WorkerPace()
        #expect(pace.stepTime(batch: 1) == .milliseconds(10))
        #expect(pace.prefillTime(tokens: 0) == .zero)
        #expect(pace.prefillTime(tokens: 200) > pace.prefillTime(tokens: 100))
        #expect(pace.slowness == 1)
        #expect(!pace.isSlow)
    }

    @Test("A worker's announced time counts until one is measured")
    func announced() {
        var engine = Engine()
        engine.pace.observed(
            progress: 0,
            prefilledTokens: 0,
            batchSize: 0,
            stepTime: .milliseconds(70),
            isBusy: false,
            at: .zero
        )
        #expect(Self.near(engine.pace.stepTime(batch: 1), 70))
        engine.passes(3, 20)
        #expect(Self.near(engine.pace.stepTime(batch: 1), 20))
    }

    @Test("Step times are learned by batch; a batch never seen costs at most as much more as it is larger")
    func steps() {
        var engine = Engine()
        engine.passes(50, 20)
        #expect(Self.near(engine.pace.stepTime(batch: 1), 20))
        #expect(Self.near(engine.pace.stepTime(batch: 4), 80))
        engine.passes(50, 30, batch: 4)
        #expect(Self.near(engine.pace.stepTime(batch: 3), 30))
        #expect(Self.near(engine.pace.stepTime(batch: 16), 120))
        #expect(Self.near(engine.pace.stepTime(batch: 1), 20))
    }

    @Test("Prefill is learned from passes that prefill, alone or beside rows")
    func prefill() {
        var engine = Engine()
        engine.passes(20, 20)
        for _ in 0..<20 { engine.pass(128 * 0.5, batch: 0, tokens: 128) }
        #expect(Self.near(engine.pace.prefillTime(tokens: 1_000), 500))
        for _ in 0..<60 { engine.pass(20 + 128, batch: 1, tokens: 128) }
        #expect(Self.near(engine.pace.prefillTime(tokens: 1_000), 1_000))
        #expect(Self.near(engine.pace.stepTime(batch: 1), 20))
        #expect(!engine.wasSlow)
    }

    @Test("A beat in the middle of a long pass is no pass")
    func beats() {
        var engine = Engine()
        engine.passes(5, 200)
        for _ in 0..<20 {
            for beat in [80, 160] as [Int64] {
                engine.pace.observed(
                    progress: engine.progress,
                    prefilledTokens: 0,
                    batchSize: 1,
                    isBusy: true,
                    at: Timestamp(nanoseconds: engine.now + beat * 1_000_000)
                )
            }
            engine.pass(200)
        }
        #expect(Self.near(engine.pace.stepTime(batch: 1), 200))
    }

    @Test("Brief passes that are reported many at a time, or several reports at once, keep their time")
    func bursts() {
        var engine = Engine()
        for round in 0..<2_000 { engine.pass(round.isMultiple(of: 2) ? 40 : 0) }
        #expect(Self.near(engine.pace.stepTime(batch: 1), 20, within: 0.5))
        #expect(engine.pace.slowness < 2)
    }

    @Test("A batch that grows from 1 to 32 is not slow")
    func growingBatch() {
        var engine = Engine()
        engine.run(seconds: 5, 20)
        engine.run(seconds: 10, 8.75 * 20, batch: 32)
        #expect(!engine.wasSlow)
        #expect(Self.near(engine.pace.stepTime(batch: 32), 175))
        engine.run(seconds: 5, 20)
        #expect(!engine.wasSlow)
    }

    @Test("A batch that grows row by row is not slow")
    func steadilyGrowingBatch() {
        var engine = Engine()
        for batch in 1...64 { engine.run(seconds: 1, 20 + 5 * Double(batch), batch: batch) }
        for batch in (1...64).reversed() { engine.run(seconds: 1, 20 + 5 * Double(batch), batch: batch) }
        #expect(!engine.wasSlow)
    }

    @Test("A long prompt beside decoding is not slow, even the first one")
    func longPrompt() {
        var engine = Engine()
        engine.run(seconds: 3, 20)
        for _ in 0..<40 { engine.pass(20 + 300, tokens: 128) }
        engine.run(seconds: 3, 20)
        for _ in 0..<40 { engine.pass(300, batch: 0, tokens: 128) }
        #expect(!engine.wasSlow)
    }

    @Test("Ten times slower is noticed within 1.5 s of work, and forgotten after it ends", arguments: [1, 8, 32])
    func tenTimesSlower(batch: Int) {
        var engine = Engine()
        engine.run(seconds: 10, 30, batch: batch)
        #expect(!engine.wasSlow)
        let began = engine.now
        while !engine.pace.isSlow, engine.now - began < 10_000_000_000 { engine.pass(300, batch: batch) }
        #expect(engine.now - began <= 1_500_000_000)
        #expect(engine.now - began >= 500_000_000)
        #expect(engine.pace.slowness > 5)
        // Predictions follow.
        #expect(engine.pace.stepTime(batch: batch) > .milliseconds(150))
        engine.run(seconds: 3, 300, batch: batch)
        #expect(engine.pace.isSlow)
        engine.run(seconds: 0.4, 30, batch: batch)
        #expect(engine.pace.isSlow)
        engine.run(seconds: 1, 30, batch: batch)
        #expect(!engine.pace.isSlow)
        #expect(Self.near(engine.pace.stepTime(batch: batch), 30, within: 0.3))
    }

    @Test("A prefill that is ten times slower is noticed too")
    func slowPrefill() {
        var engine = Engine()
        engine.run(seconds: 2, 20)
        for _ in 0..<50 { engine.pass(60, batch: 0, tokens: 128) }
        for _ in 0..<6 { engine.pass(600, batch: 0, tokens: 128) }
        #expect(engine.pace.isSlow)
    }

    @Test("A lasting slowness becomes the norm after minutes")
    func lastingChange() {
        var engine = Engine()
        engine.run(seconds: 10, 30)
        engine.run(seconds: 20, 300)
        #expect(engine.pace.isSlow)
        engine.run(seconds: 600, 300)
        #expect(!engine.pace.isSlow)
    }

    @Test("One long pass is not slow, nor is anything brief")
    func noise() {
        var engine = Engine()
        engine.run(seconds: 5, 20)
        engine.pass(2_000)
        engine.run(seconds: 5, 20)
        #expect(!engine.wasSlow)
        var brief = Engine()
        brief.run(seconds: 5, 1)
        brief.run(seconds: 5, 15)
        #expect(!brief.wasSlow)
    }

    @Test("Idle time counts for nothing")
    func idle() {
        var engine = Engine()
        engine.run(seconds: 3, 30)
        for _ in 0..<50 {
            engine.pass(30, isBusy: false)
            engine.now += 5_000_000_000
            engine.pass(30)
            engine.pass(30)
        }
        #expect(!engine.wasSlow)
        #expect(Self.near(engine.pace.stepTime(batch: 1), 30))
    }

    @Test("The coordinator's own lag counts against nobody, and its backlog teaches nothing")
    func ownLag() {
        var engine = Engine()
        engine.run(seconds: 5, 30)
        for _ in 0..<20 {
            engine.now += 3_000_000_000
            engine.pace.excused(.seconds(3))
            // What the worker sent meanwhile is read at once.
            for _ in 0..<100 { engine.pass(0) }
            engine.passes(5, 30)
        }
        #expect(!engine.wasSlow)
        #expect(Self.near(engine.pace.stepTime(batch: 1), 30))
        // Small lags are subtracted.
        for _ in 0..<200 {
            engine.pace.excused(.milliseconds(10))
            engine.pass(40)
        }
        #expect(Self.near(engine.pace.stepTime(batch: 1), 30))
    }

    @Test(
        "Any mix of batches, prompts and lost reports is normal; the same mix ten times slower is not",
        arguments: 1...12 as ClosedRange<UInt64>
    )
    func mixedLoad(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var engine = Engine()
        let base = [5.0, 20, 40][random.below(3)]
        let row = base * [0.02, 0.1, 0.25][random.below(3)]
        let token = base * [0.005, 0.02, 0.1][random.below(3)]
        var batch = 1
        func run(seconds: Double, factor: Double) {
            let end = engine.now + Int64(seconds * 1e9)
            while engine.now < end, factor == 1 || !engine.pace.isSlow {
                // Batches move by rows, now and then they leap.
                batch = random.below(20) == 0 ? 1 + random.below(32) : min(32, max(1, batch + random.below(3) - 1))
                let tokens = random.below(5) == 0 ? 1 + random.below(128) : 0
                let jitter = 0.7 + Double(random.below(800)) / 1_000
                let time = (base + row * Double(batch) + token * Double(tokens)) * jitter * factor
                if random.below(4) == 0 {
                    // Nobody hears of this pass but by the next report.
                    engine.now += Int64(time * 1e6)
                    engine.progress += 1
                    engine.prefilled += UInt64(tokens)
                } else {
                    engine.pass(time, batch: batch, tokens: UInt64(tokens))
                }
            }
        }
        run(seconds: 120, factor: 1)
        #expect(!engine.wasSlow, "seed \(seed)")
        let began = engine.now
        run(seconds: 30, factor: 10)
        #expect(engine.pace.isSlow, "seed \(seed)")
        #expect(engine.now - began < 15_000_000_000, "seed \(seed)")
    }

    @Test("No report traps or leaves a prediction that is no number", arguments: 1...20 as ClosedRange<UInt64>)
    func hostile(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var pace = WorkerPace()
        let counters: [UInt64] = [0, 1, 2, 1 << 20, 1 << 40, .max - 1, .max]
        let batches = [Int.min, -1, 0, 1, 7, 40_000, .max]
        let times: [Int64] = [.min, -1, 0, 1, 1_000_000, 80_000_000, 1 << 50, .max]
        let durations: [Duration] = [.zero, .seconds(-1), .nanoseconds(1), .seconds(Int64.max), .seconds(Int64.min)]
        var now: Int64 = 0
        for _ in 0..<5_000 {
            now = random.below(4) == 0 ? times[random.below(times.count)] : now &+ Int64(random.below(300_000_000))
            if random.below(10) == 0 { pace.excused(durations[random.below(durations.count)]) }
            pace.observed(
                progress: random.below(2) == 0 ? counters[random.below(counters.count)] : UInt64(random.below(50)),
                prefilledTokens: random.below(2) == 0 ? counters[random.below(counters.count)] : 0,
                batchSize: batches[random.below(batches.count)],
                stepTime: durations[random.below(durations.count)],
                isBusy: random.below(8) != 0,
                at: Timestamp(nanoseconds: now)
            )
            var isSound = pace.slowness.isFinite && pace.slowness >= 0
            for batch in batches {
                isSound = isSound && pace.stepTime(batch: batch) > .zero && pace.stepNanoseconds(batch: batch).isFinite
            }
            isSound = isSound && pace.prefillTime(tokens: .max) > .zero && pace.prefillTime(tokens: .min) == .zero
            guard isSound else {
                Issue.record("seed \(seed): \(pace)")
                return
            }
        }
    }
}
