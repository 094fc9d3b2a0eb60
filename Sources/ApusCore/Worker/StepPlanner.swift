import DequeModule
import HeapModule

/// Decides which sequences move in the next engine step, and by what.
///
/// The running set of a step is made of the oldest sequences that have credit, as many as the batch limit allows; the
/// others pause where they are. So the oldest always moves and nobody starves: a shrinking limit pauses the youngest,
/// and a place that becomes free goes to the one that has waited longest. A sequence gets its slot, the lowest vacant
/// one, when it first joins the running set; slots in use stay close together, which batched passes need.
///
/// Prefill is canonical: a prompt always runs in chunks whose boundaries are counted from position 0, whatever else
/// happens, and history is replayed in chunks of at most `replayChunk` tokens of which none has a single token, unless
/// the history itself has just one. That is what makes a continued stream equal the undisturbed one bit for bit.
/// A pure value without clock; the pipeline performs its plans and says what ran.
package struct StepPlanner: Sendable {
    /// What is known of a sequence.
    private struct Sequence {
        var arrival: UInt64 = 0
        var slot = -1
        var promptTokens = 0
        var historyTokens = 0
        /// Prompt and history tokens that have run.
        var filled = 0
        /// The index of the next token to draw.
        var nextIndex = 0
        /// Tokens may be drawn up to, not including, this index.
        var limit = 0
        var isDecoding = false
        var isPresent = false
    }

    /// A place in the waiting line; stale once the key's arrival is another.
    private struct Waiter {
        var key: Int
        var arrival: UInt64
    }

    private let prefillChunk: Int
    private let replayChunk: Int
    private let prefillBudget: Int

    private var sequences: [Sequence] = []
    /// The key in each slot; -1 for a vacant one.
    private var keys: [Int]
    private var vacant: Heap<Int>
    /// No slot from here on is in use.
    private var slotsEnd = 0
    private var waiting: Deque<Waiter> = []
    private var arrivals: UInt64 = 0
    /// Scratch of `plan`: keys of sequences in prefill.
    private var filling: [Int] = []

    /// Describes an engine's shape.
    ///
    /// - Parameters:
    ///   - slots: Sequences that the engine holds.
    ///   - prefillChunk: Tokens of a canonical prompt chunk, 1 or more.
    ///   - replayChunk: The most tokens of a history chunk; from 3 on no chunk of a longer history has a single token.
    ///   - prefillBudget: Prompt and history tokens of a step; a step runs one chunk even where it is larger.
    package init(slots: Int, prefillChunk: Int, replayChunk: Int, prefillBudget: Int) {
        precondition(slots > 0 && prefillChunk > 0 && replayChunk > 0)
        self.prefillChunk = prefillChunk
        self.replayChunk = replayChunk
        self.prefillBudget = prefillBudget
        keys = Array(repeating: -1, count: slots)
        vacant = Heap(0..<slots)
    }

    /// The number of slots in use.
    package var seated: Int { keys.count - vacant.count }

    /// Takes a new sequence as the youngest.
    ///
    /// - Parameters:
    ///   - key: A small number that no present sequence has.
    ///   - promptTokens: The prompt's length, 1 or more.
    ///   - historyTokens: How many of the stream's tokens exist already.
    ///   - limit: The index up to which, not including it, tokens may be drawn.
    package mutating func arrive(key: Int, promptTokens: Int, historyTokens: Int, limit: Int) {
        precondition(promptTokens > 0 && historyTokens >= 0)
        while sequences.count <= key { sequences.append(Sequence()) }
        precondition(!sequences[key].isPresent, "the key is taken")
        arrivals += 1
        sequences[key] = Sequence(
            arrival: arrivals,
            promptTokens: promptTokens,
            historyTokens: historyTokens,
            nextIndex: historyTokens,
            limit: limit,
            isPresent: true
        )
        waiting.append(Waiter(key: key, arrival: arrivals))
    }

    /// Raises the index up to which a sequence may draw tokens; a lower limit than before changes nothing.
    package mutating func grant(key: Int, limit: Int) {
        sequences[key].limit = max(sequences[key].limit, limit)
    }

    /// Forgets a sequence and frees its slot.
    ///
    /// - Returns: The slot that it had, if any.
    @discardableResult
    package mutating func leave(key: Int) -> Int? {
        let slot = sequences[key].slot
        sequences[key] = Sequence()
        guard slot >= 0 else {
            waiting.removeAll { $0.key == key }
            return nil
        }
        keys[slot] = -1
        vacant.insert(slot)
        while slotsEnd > 0, keys[slotsEnd - 1] < 0 { slotsEnd -= 1 }
        return slot
    }

    /// Notes that a chunk of the last plan has run.
    package mutating func chunkRun(_ chunk: StepPlan.Chunk) {
        sequences[chunk.key].filled = chunk.positions.upperBound
        guard chunk.drawing != nil else { return }
        sequences[chunk.key].nextIndex += 1
        sequences[chunk.key].isDecoding = true
    }

    /// Notes that every row of the last plan has its token, in one go.
    package mutating func rowsRun(_ rows: [StepPlan.Row]) {
        for row in rows { sequences[row.key].nextIndex += 1 }
    }

    /// Plans the next step; the planner waits for `chunkRun`, `rowsRun` and `leave` before the next plan.
    ///
    /// - Parameters:
    ///   - batchLimit: How many sequences may run, 1 or more.
    ///   - plan: Receives the plan; its former content is replaced.
    package mutating func plan(batchLimit: Int, into plan: inout StepPlan) {
        plan.removeAll()
        filling.removeAll(keepingCapacity: true)
        collectRunning(into: &plan)
        if plan.rows.count + filling.count > batchLimit {
            pauseYoungest(batchLimit: batchLimit, in: &plan)
        } else {
            seatWaiting(places: batchLimit - plan.rows.count - filling.count, in: &plan)
        }
        planChunks(into: &plan)
    }

    /// Finds every seated sequence with credit, in rising order of slots.
    private mutating func collectRunning(into plan: inout StepPlan) {
        for slot in 0..<slotsEnd {
            let key = keys[slot]
            guard key >= 0, sequences[key].nextIndex < sequences[key].limit else { continue }
            if sequences[key].isDecoding {
                let index = sequences[key].nextIndex
                plan.rows.append(
                    StepPlan.Row(
                        key: key,
                        slot: slot,
                        position: sequences[key].promptTokens + index - 1,
                        index: index
                    )
                )
            } else {
                filling.append(key)
            }
        }
    }

    private mutating func pauseYoungest(batchLimit: Int, in plan: inout StepPlan) {
        let order = (plan.rows.map { sequences[$0.key].arrival } + filling.map { sequences[$0].arrival }).sorted()
        let youngest = order[max(1, batchLimit) - 1]
        plan.rows.removeAll { sequences[$0.key].arrival > youngest }
        filling.removeAll { sequences[$0].arrival > youngest }
    }

    private mutating func seatWaiting(places: Int, in plan: inout StepPlan) {
        var places = places
        while places > 0, let waiter = waiting.first, let slot = vacant.popMin() {
            waiting.removeFirst()
            keys[slot] = waiter.key
            slotsEnd = max(slotsEnd, slot + 1)
            sequences[waiter.key].slot = slot
            plan.seats.append(StepPlan.Seat(key: waiter.key, slot: slot))
            // One without credit takes its slot, so that it can't block those behind it, but no place in the step.
            guard sequences[waiter.key].nextIndex < sequences[waiter.key].limit else { continue }
            filling.append(waiter.key)
            places -= 1
        }
    }

    private mutating func planChunks(into plan: inout StepPlan) {
        filling.sort { sequences[$0].arrival < sequences[$1].arrival }
        var budget = prefillBudget
        for key in filling {
            let sequence = sequences[key]
            var filled = sequence.filled
            let end = sequence.promptTokens + sequence.historyTokens
            while filled < end {
                let size = chunkSize(of: sequence, at: filled)
                // Oldest first and one chunk at least: a chunk over the budget waits for a step of its own.
                guard size <= budget || plan.chunks.isEmpty else { return }
                budget -= size
                let positions = filled..<filled + size
                filled += size
                plan.chunks.append(
                    StepPlan.Chunk(
                        key: key,
                        slot: sequence.slot,
                        positions: positions,
                        drawing: filled == end ? sequence.historyTokens : nil
                    )
                )
            }
        }
    }

    private func chunkSize(of sequence: Sequence, at position: Int) -> Int {
        if position < sequence.promptTokens { return min(prefillChunk, sequence.promptTokens - position) }
        let rest = sequence.promptTokens + sequence.historyTokens - position
        if rest <= replayChunk { return rest }
        // A lone last token would run in a pass of width 1, whose sums may differ; it gets company.
        return rest == replayChunk + 1 && replayChunk > 2 ? replayChunk - 1 : replayChunk
    }
}
