import ApusModel

/// A cluster of any size in which all streams run at once when half of the workers die in one instant.
///
/// Every worker has slots for twice its share of the streams, so that the survivors have room for all. Workers differ in speed,
/// prompts share beginnings that workers keep, and clients are as many as a client's share of the queue asks for.
public struct ScaleWorld: Sendable {
    /// The workers.
    public var workers: Int

    /// The streams that run at once, by worker.
    public var streamsPerWorker = 10

    /// Every draw follows from it.
    public var seed: UInt64

    /// Streams of one client.
    static let streamsPerClient = 1_000

    /// Beginnings that prompts share, each of two blocks.
    static let prefixes = 64

    /// When streams are submitted, evenly.
    static let submission: ClosedRange<Int64> = 200_000_000...1_000_000_000

    /// When half of the workers die.
    static let storm: Int64 = 1_500_000_000

    /// How long a dead worker stays away.
    static let absence: Int64 = 2_000_000_000

    /// Describes a world.
    ///
    /// - Parameters:
    ///   - workers: The workers, at most `Limits.workers`.
    ///   - seed: The seed.
    public init(workers: Int, seed: UInt64) {
        self.workers = workers
        self.seed = seed
    }

    /// The streams of the world.
    public var streams: Int { workers * streamsPerWorker }

    /// The world before it begins.
    func configuration() -> WorldConfiguration {
        var random = SeededRandom(seed: seed, for: .shape)
        var world = WorldConfiguration(seed: seed)
        world.faultTime = Self.storm + Self.absence + 500_000_000
        // A turn takes whatever is there, and the more the longer it lasts.
        world.turnTime = 100_000...2_000_000
        for place in 0..<workers {
            world.workers.append(
                WorkerSpec(
                    name: WorkerName(unchecked: "w\(place)"),
                    model: ModelName(unchecked: "swift"),
                    slots: 2 * streamsPerWorker,
                    fingerprint: Fingerprint(high: 1, low: 7),
                    stepTime: random.within(25_000_000...50_000_000),
                    streamTime: 500_000,
                    prefillTime: random.within(5_000...20_000),
                    burst: 2,
                    cachedBlocks: 64
                )
            )
        }
        let clients = max(2, (streams + Self.streamsPerClient - 1) / Self.streamsPerClient)
        for place in 0..<clients { world.clients.append(ClientSpec(name: "c\(place)", window: 64)) }
        drawJobs(&world)
        world.script.append(ScriptedAction(trigger: .at(Self.storm), action: .killHalf(restartAfter: Self.absence)))
        return world
    }

    private func drawJobs(_ world: inout WorldConfiguration) {
        var random = SeededRandom(seed: seed, for: .workload)
        let span = Self.submission.upperBound - Self.submission.lowerBound
        let beginnings = (0..<Self.prefixes).map { place in
            String(repeating: "system prompt \(place). ", count: 64).prefix(1_024)
        }
        world.jobs.reserveCapacity(streams)
        for place in 0..<streams {
            var request = GenerationRequest(prompt: "\(beginnings[random.below(Self.prefixes)]) job \(place)")
            request.maximumTokens = 128
            request.sampling.topK = place + 1
            request.sampling.seed = random.next()
            world.jobs.append(
                JobSpec(
                    client: place % world.clients.count,
                    key: "k\(place)",
                    request: request,
                    submittedAt: Self.submission.lowerBound + Int64(place) * span / Int64(streams),
                    naturalLength: 80 + random.below(60),
                    promptTokens: 260,
                    poisonedIndex: nil
                )
            )
        }
    }
}
