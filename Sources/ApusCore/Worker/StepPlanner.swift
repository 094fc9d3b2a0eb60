import DequeModule
import HeapModule

/// Decides which sequences move in the next engine step, and by what.
///
/// A step is one forward pass: either the next token of every running stream that has its prompt behind it, or a chunk of one
/// prompt or history. Between two batched passes run as many chunks as the allowance takes, at least one where a prompt waits,
/// so that neither waits for the other for long.
///
/// The running set is made of seated sequences that have credit, as many as the batch limit allows. Where a shrinking limit
/// leaves more of them than places, they take turns, those first that have not moved for longest, so that nobody starves. A
/// place that becomes free goes to the sequence that has waited longest. A sequence gets its slot, the lowest vacant one, when
/// it first joins the running set; slots in use stay close together, which batched passes need.
///
/// Prefill is canonical. A prompt runs in chunks of whole quanta, counted from position 0: the quantum is the smallest piece
/// that an engine computes with the same bits in whatever chunks it comes. History is replayed in chunks of at most
/// `replayChunk` tokens whose widths are never a multiple of 8, the mark of a prompt's passes, and of which none has a single
/// token, unless the history itself has just one. That is what makes a continued stream equal the undisturbed one bit for bit.
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
        /// Those of them that did not have to run.
        var found = 0
        /// The index of the next token to draw.
        var nextIndex = 0
        /// Tokens may be drawn up to, not including, this index.
        var limit = 0
        /// The plan in which it moved last.
        var moved: UInt64 = 0
        var isDecoding = false
        var isHeld = false
        var isPresent = false
    }

    /// A place in the waiting line; stale once the key's arrival is another.
    private struct Waiter {
        var key: Int
        var arrival: UInt64
    }

    /// Sequences with at most so many tokens to compute are short.
    private static let shortTokens = 128

    /// No limit is higher: limits come from a peer, and what is drawn ahead is added to them.
    private static let highestLimit = 1 << 40

    private let quantum: Int
    private let prefillChunk: Int
    private let replayChunk: Int

    private var sequences: [Sequence] = []
    /// The key in each slot; -1 for a vacant one.
    private var keys: [Int]
    private var vacant: Heap<Int>
    /// No slot from here on is in use.
    private var slotsEnd = 0
    private var waiting: Deque<Waiter> = []
    private var arrivals: UInt64 = 0
    /// Plans so far.
    private var plans: UInt64 = 0
    /// Keys of sequences in prefill, between `begin` and `complete`.
    private var filling: [Int] = []
    /// Tokens in chunks since the last batched pass.
    private var spent = 0
    /// Of the last `begin`.
    private var lookahead = 0
    /// Whether the last plan had rows that wait for its chunk, if it has one.
    package private(set) var delaysRows = false

    /// Describes an engine's shape.
    ///
    /// - Parameters:
    ///   - slots: Sequences that the engine holds.
    ///   - quantum: Tokens of the smallest piece of a prompt, 1 or more.
    ///   - prefillChunk: The most tokens of a prompt in one pass, at least a quantum.
    ///   - replayChunk: The most tokens of a history chunk, 3 or more.
    package init(slots: Int, quantum: Int, prefillChunk: Int, replayChunk: Int) {
        precondition(slots > 0 && quantum > 0 && prefillChunk >= quantum && replayChunk > 2)
        self.quantum = quantum
        self.prefillChunk = prefillChunk / quantum * quantum
        self.replayChunk = replayChunk
        keys = Array(repeating: -1, count: slots)
        vacant = Heap(0..<slots)
    }

    /// The number of slots in use.
    package var seated: Int { keys.count - vacant.count }

    /// Whether a sequence waits for a slot.
    package var hasWaiting: Bool { !waiting.isEmpty }

    // MARK: Sequences

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
            limit: min(limit, Self.highestLimit),
            isPresent: true
        )
        waiting.append(Waiter(key: key, arrival: arrivals))
    }

    /// Raises the index up to which a sequence may draw tokens; a lower limit than before changes nothing.
    package mutating func grant(key: Int, limit: Int) {
        sequences[key].limit = max(sequences[key].limit, min(limit, Self.highestLimit))
    }

    /// Notes that the first tokens of a seated sequence's prompt need not run; whole quanta, not all of the prompt.
    package mutating func found(key: Int, tokens: Int) {
        precondition(tokens % quantum == 0 && tokens < sequences[key].promptTokens && sequences[key].filled == 0)
        sequences[key].filled = tokens
        sequences[key].found = tokens
    }

    /// Keeps a seated sequence from computing its prompt, because the beginning is about to be found elsewhere.
    package mutating func hold(key: Int) {
        sequences[key].isHeld = true
        filling.removeAll { $0 == key }
    }

    /// Lets a held sequence go on; it runs from the next `begin` on.
    package mutating func release(key: Int) {
        sequences[key].isHeld = false
    }

    /// A sequence's slot; `nil` where it has none, or is not there.
    package func slot(of key: Int) -> Int? {
        guard sequences.indices.contains(key), sequences[key].isPresent, sequences[key].slot >= 0 else { return nil }
        return sequences[key].slot
    }

    /// How many of a sequence's prompt and history tokens its slot holds.
    package func filled(of key: Int) -> Int { sequences[key].filled }

    /// Whether a sequence has its prompt and history behind it.
    package func isDecoding(key: Int) -> Bool { sequences[key].isDecoding }

    /// Whether a sequence computes its prompt now.
    package func isInPrompt(key: Int) -> Bool {
        let sequence = sequences[key]
        return sequence.isPresent && !sequence.isHeld && sequence.slot >= 0
            && sequence.filled < sequence.promptTokens && sequence.nextIndex < sequence.limit
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
        filling.removeAll { $0 == key }
        keys[slot] = -1
        vacant.insert(slot)
        while slotsEnd > 0, keys[slotsEnd - 1] < 0 { slotsEnd -= 1 }
        return slot
    }

    /// Notes that a chunk has run.
    package mutating func chunkRun(_ chunk: StepPlan.Chunk) {
        sequences[chunk.key].filled = chunk.positions.upperBound
        sequences[chunk.key].moved = plans
        guard chunk.drawing != nil else { return }
        sequences[chunk.key].nextIndex += 1
        sequences[chunk.key].isDecoding = true
    }

    /// Notes that every row of the last plan has its token, in one go.
    package mutating func rowsRun(_ rows: [StepPlan.Row]) {
        for row in rows {
            sequences[row.key].nextIndex += 1
            sequences[row.key].moved = plans
        }
    }

    /// Notes that a sequence got some tokens at once.
    package mutating func advanced(key: Int, tokens: Int) {
        sequences[key].nextIndex += tokens
        sequences[key].moved = plans
    }

    // MARK: Plans

    /// Begins a plan: finds the running set and gives slots to those that join it.
    ///
    /// The pipeline may then say what it found or holds for the new ones, and calls `complete`.
    ///
    /// - Parameters:
    ///   - batchLimit: How many sequences may run, 1 or more.
    ///   - lookahead: How many tokens beyond its limit a sequence may draw; they wait for the consumer.
    ///   - plan: Receives the seats; its former content is replaced.
    package mutating func begin(batchLimit: Int, lookahead: Int = 0, into plan: inout StepPlan) {
        self.lookahead = lookahead
        plans += 1
        plan.removeAll()
        filling.removeAll(keepingCapacity: true)
        let held = collectRunning(into: &plan)
        let running = plan.rows.count + filling.count + held
        if running > batchLimit {
            takeTurns(places: batchLimit, in: &plan)
        } else {
            seatWaiting(places: batchLimit - running, in: &plan)
        }
    }

    /// Completes a plan with its pass; the planner waits for `chunkRun`, `rowsRun`, `advanced` and `leave` before the next.
    ///
    /// - Parameters:
    ///   - allowance: What may run between two batched passes; nothing bounds chunks where no row waits.
    ///   - plan: The plan that `begin` began.
    package mutating func complete(allowance: PrefillAllowance, into plan: inout StepPlan) {
        // Rows of sequences that have left since.
        plan.rows.removeAll { !sequences[$0.key].isPresent }
        delaysRows = !plan.rows.isEmpty
        plan.chunk = nextChunk(allowance: allowance, hasRows: delaysRows)
        if let chunk = plan.chunk {
            spent += chunk.positions.count
            plan.rows.removeAll(keepingCapacity: true)
        } else {
            spent = 0
        }
    }

    private func mayDraw(_ key: Int) -> Bool { sequences[key].nextIndex < sequences[key].limit + lookahead }

    /// Finds every seated sequence with credit, in rising order of slots.
    ///
    /// - Returns: How many are held.
    private mutating func collectRunning(into plan: inout StepPlan) -> Int {
        var held = 0
        for slot in 0..<slotsEnd {
            let key = keys[slot]
            guard key >= 0, mayDraw(key) else { continue }
            if sequences[key].isDecoding {
                let index = sequences[key].nextIndex
                plan.rows.append(
                    StepPlan.Row(
                        key: key,
                        slot: slot,
                        position: sequences[key].promptTokens + index - 1,
                        index: index,
                        limit: sequences[key].limit + lookahead
                    )
                )
            } else if sequences[key].isHeld {
                held += 1
            } else {
                filling.append(key)
            }
        }
        return held
    }

    /// Leaves those in the plan that have not moved for longest.
    private mutating func takeTurns(places: Int, in plan: inout StepPlan) {
        func turn(_ key: Int) -> (UInt64, UInt64) { (sequences[key].moved, sequences[key].arrival) }
        let order = (plan.rows.map { turn($0.key) } + filling.map { turn($0) }).sorted { $0 < $1 }
        guard order.count > places else { return }
        let last = order[max(1, places) - 1]
        plan.rows.removeAll { turn($0.key) > last }
        filling.removeAll { turn($0) > last }
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
            guard mayDraw(waiter.key) else { continue }
            filling.append(waiter.key)
            places -= 1
        }
    }

    /// The chunk to run before the next batched pass; `nil` where that comes first.
    private mutating func nextChunk(allowance: PrefillAllowance, hasRows: Bool) -> StepPlan.Chunk? {
        filling.sort { sequences[$0].arrival < sequences[$1].arrival }
        for key in filling {
            let sequence = sequences[key]
            let size: Int
            if hasRows {
                let room = (isShort(sequence) ? allowance.short : allowance.long) - spent
                size = chunkSize(of: sequence, room: room)
                // A first chunk runs even where it is too large: prompts have to come to an end.
                guard spent == 0 || size <= room else { continue }
            } else {
                size = chunkSize(of: sequence, room: prefillChunk)
            }
            let end = sequence.filled + size
            return StepPlan.Chunk(
                key: key,
                slot: sequence.slot,
                positions: sequence.filled..<end,
                isPrompt: sequence.filled < sequence.promptTokens,
                drawing: end == sequence.promptTokens + sequence.historyTokens ? sequence.historyTokens : nil
            )
        }
        return nil
    }

    /// Whether a sequence has little to compute, or goes on after its worker's death and so has waited already.
    private func isShort(_ sequence: Sequence) -> Bool {
        sequence.historyTokens > 0 || sequence.promptTokens - sequence.found <= Self.shortTokens
    }

    private func chunkSize(of sequence: Sequence, room: Int) -> Int {
        let position = sequence.filled
        if position < sequence.promptTokens {
            let most = min(prefillChunk, max(quantum, room / quantum * quantum))
            return min(most, sequence.promptTokens - position)
        }
        let rest = sequence.promptTokens + sequence.historyTokens - position
        guard rest > 1 else { return rest }
        var size = min(rest, replayChunk)
        // A lone last token would run in a pass of width 1, whose sums may differ where a library adds them up in parts.
        while size % 8 == 0 || rest - size == 1 { size -= 1 }
        return size
    }
}
