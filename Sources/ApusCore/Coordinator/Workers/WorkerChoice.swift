import ApusModel

/// Which worker takes a stream.
///
/// Candidates are the vacant workers with enough context: of the stream's fingerprint where one is vacant, else all; those in
/// quarantine only where no trusted worker with enough context is connected. Up to `scanned` candidates are all looked at. Of more,
/// `draws` are drawn and the best of these is taken, so that the cost does not grow with the cluster. Among equal workers two
/// draws would do (Mitzenmacher 2001, "The Power of Two Choices in Randomized Load Balancing"); where some are four times as fast as
/// others, eight find a fast one and halve the time to the first token. Up to `cached` workers that keep the most of the prompt's
/// beginning are looked at beside these, and so is the worker of the job's first stream: for its siblings the prompt counts as
/// cached there. Draws are hashes of stream, epoch and number of the draw, so that equal facts give an equal
/// choice.
///
/// The worker with the lowest score is chosen. The score is the predicted time to the first token,
///
///     (pending prefill + what is not cached of the prompt + history) x (prefill time + step time / 128) + step time
///
/// with the step time of one row more: a worker decodes between any two chunks of 128 prompt tokens, so that a prompt on a full
/// worker takes longer than its own computation. The prediction is multiplied by 1 + `loadWeight` x the share of slots in use with
/// the stream, so that of nearly equal predictions the less loaded worker wins. Equal scores go to the smaller share, then to the shorter step, then by name.
struct WorkerChoice: Sendable {
    /// Up to this many candidates are all looked at.
    static let scanned = 16

    /// Candidates that are drawn where there are more.
    static let draws = 8

    /// Workers that are looked at for what they have cached.
    static let cached = 4

    /// How much longer a full worker's prediction counts than an empty one's.
    static let loadWeight = 4.0

    /// Tokens of a prompt's block: four bytes a token.
    static let blockTokens = PrefixBlocks.blockBytes / 4

    /// How the best candidate is found.
    let policy: PlacementPolicy

    /// What a worker is thought to take that was never measured: as much as the one of its model that was measured last.
    ///
    /// A new worker is then tried as soon as the others have more to do than it.
    private var typical: (step: Double, token: Double)?

    // Round robin's: the place that was chosen last.
    private var cursor = -1

    /// Chooses by a policy.
    init(policy: PlacementPolicy = .predictedFirstToken) {
        self.policy = policy
    }

    /// A worker of the model was measured.
    mutating func measured(_ cost: borrowing WorkerCost) {
        if cost.isMeasured { typical = (cost.stepNanoseconds, cost.tokenNanoseconds) }
    }

    /// Chooses a worker.
    ///
    /// - Parameters:
    ///   - query: The stream.
    ///   - pool: The workers of its model.
    ///   - prefixes: What they have cached.
    ///   - costs: What is known of every worker, by place; not read for workers that are not candidates.
    /// - Returns: The worker's place, or `nil` where no candidate is vacant.
    mutating func choose(
        for query: borrowing PlacementQuery,
        in pool: borrowing WorkerPool,
        prefixes: borrowing PrefixIndex,
        costs: borrowing [WorkerCost]
    ) -> Int? {
        var candidates = pool.candidates(contextTokens: query.contextTokens, fingerprint: query.fingerprint)
        if query.fingerprint != nil, !Self.hasChoice(among: candidates, of: pool, avoiding: query.avoiding) {
            candidates = pool.candidates(contextTokens: query.contextTokens)
        }
        guard Self.hasChoice(among: candidates, of: pool, avoiding: query.avoiding) else { return nil }
        if policy == .roundRobin { return next(among: candidates, of: pool, avoiding: query.avoiding) }

        let looksAtCaches = policy == .predictedFirstToken && !query.blocks.isEmpty
        let known = looksAtCaches ? prefixes.knownDepth(of: query.blocks) : 0
        let isSampled = candidates.count > Self.scanned
        var best = Contest(policy: policy, typical: typical)
        let draw = Self.draw(0, for: query)
        // Places around a ring of candidates, so that draws are distinct; scanning takes every place.
        var rounds = isSampled ? Self.draws : candidates.count
        var number: UInt64 = 0
        var drawn = SIMD8<Int32>(repeating: -1)
        while rounds > 0 {
            rounds -= 1
            var index = Int(number)
            if isSampled { index = Self.index(Self.draw(number &+ 1, for: query), below: candidates.count) }
            number &+= 1
            var worker = pool.worker(index, of: candidates)
            if isSampled {
                while worker == query.avoiding || any(drawn .== Int32(worker)) {
                    index = index + 1 < candidates.count ? index + 1 : 0
                    worker = pool.worker(index, of: candidates)
                }
                drawn[rounds] = Int32(worker)
            } else if worker == query.avoiding {
                continue
            }
            let depth = known > 0 ? prefixes.depth(of: query.blocks, for: worker, known: known) : 0
            best.enter(worker, depth: depth, query, costs)
        }
        if isSampled, known > 0 {
            let avoided = query.avoiding
            let matches = prefixes.longestMatches(of: query.blocks, known: known, draw: draw, limit: Self.cached) {
                $0 != avoided && pool.contains($0, in: candidates)
            }
            for match in 0..<matches.count {
                best.enter(matches.worker(match), depth: matches.depth(match), query, costs)
            }
        }
        if isSampled, policy == .predictedFirstToken, let sibling = query.sibling, sibling != query.avoiding,
            pool.contains(sibling, in: candidates)
        {
            let depth = known > 0 ? prefixes.depth(of: query.blocks, for: sibling, known: known) : 0
            best.enter(sibling, depth: depth, query, costs)
        }
        return best.winner
    }

    /// The first vacant candidate after the one that was chosen last.
    private mutating func next(
        among candidates: WorkerPool.Candidates,
        of pool: borrowing WorkerPool,
        avoiding avoided: Int?
    ) -> Int? {
        for _ in 0..<pool.places {
            cursor = cursor + 1 < pool.places ? cursor + 1 : 0
            if cursor != avoided, pool.contains(cursor, in: candidates) { return cursor }
        }
        return nil
    }

    private static func hasChoice(
        among candidates: WorkerPool.Candidates,
        of pool: borrowing WorkerPool,
        avoiding avoided: Int?
    ) -> Bool {
        guard let avoided, candidates.count == 1 else { return candidates.count > 0 }
        return !pool.contains(avoided, in: candidates)
    }

    /// A number that looks random and follows from stream, epoch and number of the draw.
    @inline(__always)
    private static func draw(_ number: UInt64, for query: borrowing PlacementQuery) -> UInt64 {
        var bits = query.stream.rawValue &* 0x9e37_79b9_7f4a_7c15
        bits ^= UInt64(query.epoch.rawValue) &* 0xd1b5_4a32_d192_ed03
        bits &+= number &* 0x8cb9_2ba7_2f3d_8dd7
        return bits.mixed
    }

    /// Scales a draw to an index.
    @inline(__always)
    private static func index(_ draw: UInt64, below count: Int) -> Int {
        Int(draw.multipliedFullWidth(by: UInt64(count)).high)
    }

    /// The best candidate so far.
    private struct Contest {
        let policy: PlacementPolicy
        let typical: (step: Double, token: Double)?
        var winner: Int?
        var score = 0.0
        var share = 0.0
        var step = 0.0

        init(policy: PlacementPolicy, typical: (step: Double, token: Double)?) {
            self.policy = policy
            self.typical = typical
        }

        @inline(__always)
        mutating func enter(
            _ worker: Int,
            depth: Int,
            _ query: borrowing PlacementQuery,
            _ costs: borrowing [WorkerCost]
        ) {
            let isMeasured = costs[worker].isMeasured
            let step = isMeasured ? costs[worker].stepNanoseconds : typical?.step ?? costs[worker].stepNanoseconds
            let share = costs[worker].shareWithOneMore
            var score = 0.0
            if policy == .predictedFirstToken {
                let depth = max(depth, query.sharedBlocks(with: worker))
                let prompt = Double(max(0, query.promptTokens)) - Double(depth * WorkerChoice.blockTokens)
                let tokens = Double(costs[worker].tokensAhead) + max(0, prompt) + Double(query.historyTokens)
                let own = costs[worker].tokenNanoseconds
                let token = isMeasured ? own : typical?.token ?? own
                let time = max(0, tokens) * token + step
                score = time * (1 + WorkerChoice.loadWeight * share)
            }
            guard let rival = winner else { return win(worker, score, share, step) }
            if score != self.score {
                if score < self.score { win(worker, score, share, step) }
            } else if share != self.share {
                if share < self.share { win(worker, score, share, step) }
            } else if step != self.step {
                if step < self.step { win(worker, score, share, step) }
            } else if costs[worker].name < costs[rival].name {
                win(worker, score, share, step)
            }
        }

        private mutating func win(_ worker: Int, _ score: Double, _ share: Double, _ step: Double) {
            winner = worker
            self.score = score
            self.share = share
            self.step = step
        }
    }
}
