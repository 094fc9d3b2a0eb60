import ApusCore
import ApusEngine
import ApusModel
import Testing

/// A coordinator in small: leases streams, takes their tokens, and checks each against what the stream is.
private struct Coordinator {
    /// What a stream is, from an undisturbed run.
    struct Truth {
        var request: GenerationRequest
        var ids: [Int32] = []
        var texts: [[UInt8]] = []
        var reason: FinishReason?
    }

    struct Stream {
        var truth: Truth
        var epoch: UInt32 = 0
        var isLeased = false
        var taken = 0
        var acknowledged = 0
        var limit = 0
        var reason: FinishReason?
    }

    let engine: FlakyEngine
    var pipeline: Pipeline
    var streams: [Stream] = []

    init(seed: UInt64, endsOneTokenIn: Int) {
        var random = SeededGenerator(seed: seed)
        var configuration = SimulatedEngineConfiguration.free
        configuration.slots = 1 + Int.random(in: 0..<5, using: &random)
        configuration.prefillQuantum = 2
        configuration.prefillChunk = 6
        configuration.replayChunk = 5
        configuration.endsOneTokenIn = endsOneTokenIn
        configuration.contextTokens = 60
        engine = FlakyEngine(configuration, seed: seed)
        engine.failsOneIn = seed % 3 == 0 ? 0 : 20
        let clock = TestClock()
        // Uneven times, so that the allowances differ.
        clock.tick = 1 + Int64(seed % 7) * 500_000
        pipeline = Pipeline(engine: engine, batch: .init(minimum: 1, maximum: 6), clock: clock.read)
    }

    func below(_ end: Int) -> Int { Int.random(in: 0..<end, using: &engine.random) }

    // MARK: What the coordinator does

    mutating func arrive() {
        let words = (0...below(25)).map { _ in ["tell", "me", "of", "the", "swifts"][below(5)] }
        var request = GenerationRequest(
            prompt: words.joined(separator: " "),
            maximumTokens: 1 + below(40),
            sampling: .init(seed: UInt64(streams.count)),
            stop: below(2) == 0 ? [SimulatedEngine.text(of: TokenID(rawValue: Int32(below(64))))] : []
        )
        request.minimumTokens = below(3) == 0 ? below(request.maximumTokens) : 0
        streams.append(Stream(truth: undisturbed(request)))
        lease(streams.count - 1)
    }

    private func undisturbed(_ request: GenerationRequest) -> Truth {
        var pipeline = Pipeline(engine: SimulatedEngine(engine.configuration), clock: TestClock().read)
        pipeline.start(
            Assignment(stream: StreamID(rawValue: 1), epoch: Epoch(rawValue: 1), request: request, limit: 1_000)
        )
        var truth = Truth(request: request)
        var result = StepResult()
        while pipeline.step(into: &result) {
            truth.ids += result.tokens.ids
            var byte = 0
            for length in result.tokens.textLengths {
                truth.texts.append(Array(result.tokens.text[byte..<byte + Int(length)]))
                byte += Int(length)
            }
            if let end = result.ends.first { truth.reason = end.reason }
        }
        return truth
    }

    mutating func lease(_ place: Int) {
        guard streams[place].reason == nil else { return }
        streams[place].epoch += 1
        streams[place].isLeased = true
        streams[place].acknowledged = streams[place].taken
        if below(3) > 0 { streams[place].limit = max(streams[place].limit, streams[place].taken + below(12)) }
        pipeline.start(assignment(place, epoch: streams[place].epoch))
    }

    private func assignment(_ place: Int, epoch: UInt32) -> Assignment {
        Assignment(
            stream: StreamID(rawValue: UInt64(place)),
            epoch: Epoch(rawValue: epoch),
            request: streams[place].truth.request,
            history: streams[place].truth.ids.prefix(streams[place].taken).map { TokenID(rawValue: $0) },
            limit: streams[place].limit
        )
    }

    mutating func acknowledge(_ place: Int) {
        let through = streams[place].acknowledged...streams[place].taken
        streams[place].acknowledged = through.lowerBound + below(through.count)
        if below(2) == 0 { streams[place].limit += below(12) }
        pipeline.acknowledge(
            UInt64(place),
            through: streams[place].acknowledged,
            limit: streams[place].limit
        )
    }

    mutating func revoke(_ place: Int) {
        pipeline.revoke(UInt64(place), epoch: streams[place].epoch)
        streams[place].isLeased = false
    }

    mutating func reconnect() {
        let kept = streams.indices.filter { streams[$0].isLeased && below(8) > 0 }
        for place in streams.indices { streams[place].isLeased = kept.contains(place) }
        pipeline.keep(
            only: kept.map { (StreamID(rawValue: UInt64($0)), Epoch(rawValue: streams[$0].epoch)) }
        )
        // Both the tokens and the ends may have come before.
        take(pipeline.unacknowledged(), isAgain: true)
    }

    mutating func act() {
        guard !streams.isEmpty else { return arrive() }
        let place = below(streams.count)
        switch below(12) {
        case 0...1: if streams.count < 20 { arrive() }
        case 2: revoke(place)
        case 3: lease(place)
        case 4:
            // What is told of an attempt that is over changes nothing.
            guard pipeline.held.contains(where: { $0.stream.rawValue == UInt64(place) }) else { break }
            pipeline.revoke(UInt64(place), epoch: streams[place].epoch - 1)
            pipeline.start(assignment(place, epoch: streams[place].epoch - UInt32(below(2))))
        case 5: reconnect()
        case 6:
            let maximum = 1 + below(6)
            pipeline.configure(WorkerSettings(batchMinimum: 1 + below(maximum), batchMaximum: maximum))
        case 7: pipeline.memoryChanged([.halveBatch, .dropPrefixCache], level: .critical)
        default: acknowledge(place)
        }
    }

    mutating func work() {
        var result = StepResult()
        if below(2) == 0 {
            if pipeline.step(into: &result) { take(result) }
            return
        }
        // Several steps whose tokens are taken together, as a worker does with brief ones.
        var ends: [AttemptEnd] = []
        for _ in 0..<below(6) where pipeline.prepare() != nil {
            pipeline.perform(into: &result)
            ends += result.ends
        }
        result.removeAll()
        result.ends = ends
        pipeline.takeTokens(into: &result.tokens)
        take(result)
    }

    // MARK: What it checks

    private mutating func take(_ result: StepResult, isAgain: Bool = false) {
        #expect(result.tokens.isValid)
        var token = 0
        var byte = 0
        for row in 0..<result.tokens.rows {
            let place = Int(result.tokens.streams[row])
            let first = Int(result.tokens.firstIndexes[row])
            let end = first + Int(result.tokens.counts[row])
            let truth = streams[place].truth
            #expect(streams[place].isLeased && result.tokens.epochs[row] == streams[place].epoch)
            #expect(isAgain ? first <= streams[place].taken : first == streams[place].taken)
            #expect(first >= streams[place].acknowledged)
            #expect(end <= streams[place].limit, "a token beyond the limit")
            guard end <= truth.ids.count else {
                Issue.record("stream \(place) has a token \(end - 1) behind its end")
                return
            }
            for index in first..<end {
                let length = Int(result.tokens.textLengths[token])
                let text = Array(result.tokens.text[byte..<byte + length])
                if result.tokens.ids[token] != truth.ids[index] || text != truth.texts[index] {
                    Issue.record("stream \(place) has another token \(index)")
                }
                token += 1
                byte += length
            }
            streams[place].taken = max(streams[place].taken, end)
        }
        for end in result.ends { take(end, isAgain: isAgain) }
    }

    private mutating func take(_ end: AttemptEnd, isAgain: Bool) {
        let place = Int(end.stream.rawValue)
        let isCurrent = streams[place].isLeased && end.epoch.rawValue == streams[place].epoch
        // Nothing is kept of a refused attempt, so that it can't be revoked either.
        if end.error?.code == .overloaded, !isCurrent { return }
        #expect(isCurrent)
        #expect(end.endIndex == streams[place].taken, "an end before the tokens, or behind a gap")
        if end.reason == .failed {
            #expect(end.error != nil)
            streams[place].isLeased = false
            // As the coordinator does: what it has is acknowledged, and the attempt forgotten.
            pipeline.revoke(UInt64(place), epoch: streams[place].epoch)
            return
        }
        #expect(isAgain || streams[place].reason == nil, "a second end")
        streams[place].reason = end.reason
        #expect(end.reason == streams[place].truth.reason)
        #expect(streams[place].taken == streams[place].truth.ids.count)
    }

    /// Nothing fails any more: every stream comes to its end.
    mutating func heal() {
        engine.failsOneIn = 0
        pipeline.memoryChanged([.easeBatch], level: .normal)
        pipeline.configure(WorkerSettings(batchMinimum: 2, batchMaximum: 6))
        for round in 0..<400 {
            for place in streams.indices where streams[place].reason == nil {
                if !streams[place].isLeased { lease(place) }
                streams[place].limit = max(streams[place].limit, streams[place].taken + 9)
                pipeline.acknowledge(UInt64(place), through: streams[place].taken, limit: streams[place].limit)
            }
            for _ in 0..<20 { work() }
            for place in streams.indices where streams[place].reason != nil {
                pipeline.acknowledge(UInt64(place), through: streams[place].taken, limit: streams[place].limit)
            }
            if streams.allSatisfy({ $0.reason != nil }) { return }
            if round == 399 { Issue.record("streams without an end") }
        }
    }
}

@Suite("Pipeline, random model")
struct PipelineModelTests {
    @Test(
        "Whatever comes when, every stream is what it is alone, ends once, and leaves nothing behind",
        arguments: 0..<120 as Range<UInt64>
    )
    func random(seed: UInt64) {
        var coordinator = Coordinator(seed: seed, endsOneTokenIn: seed % 4 == 0 ? 15 : 0)
        for _ in 0..<300 {
            coordinator.act()
            for _ in 0..<coordinator.below(3) { coordinator.work() }
        }
        coordinator.heal()
        #expect(coordinator.pipeline.present == 0, "seed \(seed)")
        #expect(coordinator.pipeline.unfinished == 0)
        #expect(coordinator.pipeline.seated == 0)
        #expect(coordinator.engine.occupied.isEmpty)
        #expect(coordinator.pipeline.held.isEmpty)
        #expect(coordinator.streams.count > 5)
        let counters = coordinator.pipeline.counters
        #expect(counters.grantedAhead <= counters.granted)
        #expect(counters.recovered <= counters.errors)
        if seed % 3 == 0 {
            #expect(counters.errors == 0)
        } else {
            #expect(counters.errors > 0)
        }
    }
}
