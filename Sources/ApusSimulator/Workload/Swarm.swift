import ApusCore
import ApusModel

/// Draws worlds: each seed has its own sizes, speeds, settings, and its own mix of faults.
public struct Swarm: Sendable {
    /// The number of workers of every world; `nil` draws 1 to 5.
    public var workers: Int?

    /// The number of jobs of every world; `nil` draws 1 to 50.
    public var streams: Int?

    /// Describes a swarm.
    public init(workers: Int? = nil, streams: Int? = nil) {
        self.workers = workers
        self.streams = streams
    }

    /// The world of a seed.
    func configuration(of seed: UInt64) -> WorldConfiguration {
        var random = SeededRandom(seed: seed, for: .shape)
        var world = WorldConfiguration(seed: seed)
        world.faultTime = random.within(1_000_000_000...4_000_000_000)
        drawSpeeds(&world, &random)
        drawSettings(&world, &random)
        drawWorkers(&world, &random)
        drawClients(&world, &random)
        drawFaults(&world, &random)
        drawJobs(&world)
        return world
    }

    private func drawSpeeds(_ world: inout WorldConfiguration, _ random: inout SeededRandom) {
        let slowest = random.pick([200_000, 500_000, 2_000_000, 20_000_000] as [Int64])
        world.networkDelay = random.within(20_000...100_000)...slowest
        if random.percent(40) { world.turnTime = 100_000...2_000_000 }
    }

    private func drawSettings(_ world: inout WorldConfiguration, _ random: inout SeededRandom) {
        world.settings.secret = random.next()
        if random.percent(40) { world.settings.workerWindow = random.pick([4, 16, 64]) }
        if random.percent(15) { world.settings.admission.streams = random.pick([4, 10, 20]) }
        if random.percent(10) { world.settings.replayTokens = 16 }
        // A step makes more tokens at a time than a real engine does, and so more are lost on the way.
        world.settings.lossWindow = 128
        if random.percent(75) {
            world.settings.recallsEnded = true
            world.settings.retention = .milliseconds(random.within(50...1_500))
            if random.percent(30) { world.settings.retainedStreams = random.below(8) }
            if random.percent(30) { world.journalRetention = .milliseconds(random.within(300...3_000)) }
            if random.percent(10) { world.journalJobs = random.within(2...20) }
        }
        world.settings.retryAfter = .milliseconds(random.within(20...500))
    }

    private func drawWorkers(_ world: inout WorldConfiguration, _ random: inout SeededRandom) {
        let count = workers ?? random.within(1...5)
        let fingerprints = random.percent(20) ? 2 : 1
        let exactness: ExactnessClass = random.percent(10) ? .consistent : .exact
        let cachedBlocks = random.percent(20) ? random.pick([2, 16, 64]) : 0
        for place in 0..<count {
            world.workers.append(
                WorkerSpec(
                    name: WorkerName(unchecked: "w\(place)"),
                    model: ModelName(unchecked: "swift"),
                    slots: random.pick([1, 2, 4, 8, 16, 32]),
                    fingerprint: Fingerprint(high: UInt64(1 + random.below(fingerprints)), low: 7),
                    exactness: exactness,
                    stepTime: random.within(1_000_000...20_000_000),
                    streamTime: random.within(50_000...1_000_000),
                    prefillTime: random.within(5_000...50_000),
                    burst: random.pick([2, 4, 8, 8, 16]),
                    cachedBlocks: cachedBlocks
                )
            )
        }
    }

    private func drawClients(_ world: inout WorldConfiguration, _ random: inout SeededRandom) {
        let count = random.within(1...5)
        let sharesName = random.percent(30)
        for place in 0..<count {
            world.clients.append(
                ClientSpec(name: sharesName ? "crowd" : "c\(place)", window: random.pick([2, 8, 32, 32, 128, 1_024]))
            )
        }
    }

    private func drawFaults(_ world: inout WorldConfiguration, _ random: inout SeededRandom) {
        guard !random.percent(10) else { return }
        world.faults.meanInterval = random.within(20_000_000...1_000_000_000)
        for (place, fault) in Fault.allCases.enumerated() where fault != .poisonedJob {
            if random.percent(35) { world.faults.weights[place] = random.within(1...10) }
        }
    }

    private func drawJobs(_ world: inout WorldConfiguration) {
        var random = SeededRandom(seed: world.seed, for: .workload)
        let count = streams ?? random.within(1...50)
        let hasFaults = world.faults.weights.contains { $0 > 0 }
        let poisoned = hasFaults && random.percent(20) ? 1 + random.below(2) : 0
        let longest = random.pick([8, 24, 80])
        let hasShortDeadlines = random.percent(20)
        let durabilities: [Durability] =
            random.percent(40)
            ? [.released] : random.percent(50) ? [.released, .released, .accepted, .none] : [.accepted]
        // What a world has at most, it can do in time.
        var spare = random.percent(30) ? 50 - min(count, 50) : 0
        let prefix = random.percent(20) ? String(repeating: "be kind. ", count: 120) : ""
        let span = random.percent(30) ? world.faultTime / 20 : world.faultTime * 3 / 4
        for place in 0..<count {
            var request = GenerationRequest(prompt: prefix.isEmpty ? "job \(place)" : prefix + "job \(place)")
            request.maximumTokens = 1 + random.below(longest)
            request.sampling.topK = place + 1
            if spare > 0, random.percent(30) {
                request.choices = min(2 + random.below(3), 1 + spare)
                spare -= request.choices - 1
            }
            request.durability = random.pick(durabilities)
            request.priority = random.pick([.high, .normal, .normal, .low])
            if !random.percent(10) { request.sampling.seed = random.next() }
            if hasShortDeadlines, random.percent(30) {
                request.deadline = .milliseconds(random.within(100...3_000))
            }
            world.jobs.append(
                JobSpec(
                    client: random.below(world.clients.count),
                    key: "k\(place)",
                    request: request,
                    submittedAt: random.within(0...span),
                    naturalLength: 1 + random.below(longest * 3 / 2),
                    promptTokens: prefix.isEmpty ? 1 + random.below(200) : 270 + random.below(100),
                    poisonedIndex: place < poisoned ? random.below(10) : nil
                )
            )
        }
    }
}
