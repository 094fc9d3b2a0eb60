import ApusCore
import ApusModel
import Foundation

extension PolicyWorkload {
    /// The world of a seed: the same jobs and workers for every policy.
    ///
    /// - Parameters:
    ///   - seed: Decides on every length, arrival and system prompt.
    ///   - load: The rate of the jobs, as a part of `capacity`.
    ///   - policy: How the coordinator places streams.
    /// - Returns: A world without faults.
    func configuration(seed: UInt64, load: Double, policy: PlacementPolicy) -> WorldConfiguration {
        var world = WorldConfiguration(seed: seed)
        world.settings.placement = policy
        for client in Self.clients {
            world.clients.append(ClientSpec(name: client.name, window: 4 * longestOutput))
            world.settings.shares[client.name] = client.share
        }
        for place in 0..<workers { world.workers.append(worker(place)) }
        world.jobs = drawJobs(seed: seed, rate: load * capacity)
        world.faultTime = (world.jobs.last?.submittedAt ?? 0) + 1
        world.settleTime = 600_000_000_000
        return world
    }

    private func worker(_ place: Int) -> WorkerSpec {
        // Speeds alternate, so that no policy sees them in an order.
        let factor = place.isMultiple(of: 2) ? 1 : slowFactor
        return WorkerSpec(
            name: WorkerName(unchecked: "w\(place)"),
            model: ModelName(unchecked: "simulated"),
            slots: slots,
            fingerprint: Fingerprint(high: 1, low: 1),
            stepTime: stepTime * factor,
            streamTime: streamTime * factor,
            prefillTime: prefillTime * factor,
            burst: 1,
            cachedBlocks: cachedBlocks,
            prefillBudget: prefillBudget
        )
    }

    /// Draws the jobs, in the order of their arrival.
    private func drawJobs(seed: UInt64, rate: Double) -> [JobSpec] {
        var random = SeededRandom(seed: seed, for: .workload)
        var arrivals: [(time: Double, client: Int)] = []
        for client in Self.clients.indices {
            let times = drawArrivals(
                rate: rate * Double(Self.clients[client].jobs) / 100,
                until: 3 * Double(jobs) / rate,
                &random
            )
            for time in times { arrivals.append((time, client)) }
        }
        arrivals.sort { ($0.time, $0.client) < ($1.time, $1.client) }
        let blocks = systemPromptBlocks
        let shares = systemPromptShares
        // Bursts make the rate of a run what they will; its clock is stretched to the rate that is wanted.
        let stretch = Double(jobs) / rate / max(arrivals[jobs - 1].time, 1e-9)
        return arrivals.prefix(jobs).enumerated().map { place, arrival in
            let system = Self.drawPlace(shares, &random)
            let own = Self.drawLength(promptMedian, promptSpread, longestPrompt, &random)
            // One word of a block's size a system prompt, one of two tokens a job: equal blocks in the first part only.
            let shared = String(repeating: Self.word("system", system, bytes: 16), count: blocks[system] * 32)
            let rest = String(repeating: Self.word("j", place, bytes: 8), count: (own + 1) / 2)
            var request = GenerationRequest(prompt: shared + rest)
            request.maximumTokens = longestOutput
            request.sampling.topK = place + 1
            request.sampling.seed = random.next()
            return JobSpec(
                client: arrival.client,
                key: "k\(place)",
                request: request,
                // The first jobs come when all workers have registered.
                submittedAt: 500_000_000 + Int64(arrival.time * stretch * 1e9),
                naturalLength: Self.drawLength(outputMedian, outputSpread, longestOutput, &random),
                promptTokens: request.prompt.utf8.count / 4,
                poisonedIndex: nil
            )
        }
    }

    /// Draws the moments, in seconds, at which a client submits.
    private func drawArrivals(rate: Double, until end: Double, _ random: inout SeededRandom) -> [Double] {
        let rateWhileActive = rate * (meanActivity + meanSilence) / meanActivity
        var times: [Double] = []
        var time = 0.0
        var isActive = random.unit() < meanActivity / (meanActivity + meanSilence)
        while time < end {
            let phaseEnd = time + random.exponential(mean: isActive ? meanActivity : meanSilence)
            if isActive {
                // A Poisson process has no memory: each phase begins it anew.
                var next = time + random.exponential(mean: 1 / rateWhileActive)
                while next < phaseEnd {
                    times.append(next)
                    next += random.exponential(mean: 1 / rateWhileActive)
                }
            }
            time = phaseEnd
            isActive.toggle()
        }
        return times
    }

    private static func drawPlace(_ shares: [Double], _ random: inout SeededRandom) -> Int {
        var rest = random.unit()
        for place in shares.indices {
            rest -= shares[place]
            if rest < 0 { return place }
        }
        return shares.count - 1
    }

    private static func drawLength(
        _ median: Double,
        _ spread: Double,
        _ longest: Int,
        _ random: inout SeededRandom
    ) -> Int {
        min(longest, max(1, Int(median * exp(spread * random.normal()))))
    }

    private static func word(_ name: String, _ number: Int, bytes: Int) -> String {
        let digits = String(number)
        return name + String(repeating: "0", count: bytes - name.utf8.count - digits.utf8.count) + digits
    }
}

extension SeededRandom {
    /// A number from 0 to below 1.
    fileprivate mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// An exponentially distributed number.
    fileprivate mutating func exponential(mean: Double) -> Double { -mean * log(1 - unit()) }

    /// A normally distributed number of mean 0 and deviation 1 (Box and Muller).
    fileprivate mutating func normal() -> Double {
        let radius = (-2 * log(1 - unit())).squareRoot()
        return radius * cos(2 * Double.pi * unit())
    }
}
