#if APUS_LLAMA
import ApusModel
import ApusEngine
internal import CLlama

/// The sequences of an engine: which slots are taken, how long each is, and the passes that lengthen them.
///
/// A failed pass leaves every sequence as it was.
final class LlamaSequences {
    /// Tokens that fit into a slot.
    let contextTokens: Int

    /// What is done about rows that are alone in their pass; set once by the probe.
    var policy = LoneRowPolicy.asIs

    private let context: LlamaContext
    private let batch: LlamaBatch
    private let canRetract: Bool
    /// Tokens in each occupied slot; `nil` for a vacant one.
    private var lengths: [Int?]
    private var plan = PassPlan()
    /// The row in the last pass of each row that was due.
    private var places: [Int] = []

    /// Allocates the caches.
    init(model: LlamaModel, slots: Int, contextTokens: Int, passTokens: Int, threads: Int) throws(ApusError) {
        // llama.cpp rounds up to pieces of 256 by itself; its cache and ours then agree on the end.
        let piece = LlamaConfiguration.leastContextTokens
        context = try LlamaContext(
            model: model,
            slots: slots,
            contextTokens: (contextTokens + piece - 1) / piece * piece,
            passTokens: max(passTokens, slots),
            threads: threads
        )
        batch = LlamaBatch(capacity: max(passTokens, slots))
        canRetract = model.canRetract
        lengths = Array(repeating: nil, count: slots)
        self.contextTokens = contextTokens
    }

    /// The number of slots.
    var slots: Int { lengths.count }

    /// Takes a vacant slot.
    func occupy(_ slot: Int) {
        precondition(lengths[slot] == nil, "slot \(slot) is occupied")
        lengths[slot] = 0
    }

    /// Gives a slot back.
    func vacate(_ slot: Int) {
        lengths[slot] = nil
        context.remove(slot, from: 0)
    }

    /// Takes the last tokens of a sequence back, so that it ends before a position.
    func retract(_ slot: Int, to position: Int) {
        lengths[slot] = position
        context.remove(slot, from: position)
    }

    /// Feeds a chunk to a sequence in a pass of its own; a chunk of one token goes the way of a decoded one.
    func feed(chunk tokens: ArraySlice<TokenID>, to slot: Int, at position: Int, wantsLogits: Bool) throws(ApusError) {
        guard tokens.count != 1 else {
            return try feed(
                CollectionOfOne(DecodeRow(slot: slot, token: tokens[tokens.startIndex], position: position, index: 0)),
                wantsLogits: wantsLogits
            )
        }
        try check(slot, at: position, count: tokens.count)
        batch.removeAll()
        for (offset, token) in tokens.enumerated() {
            let isLast = offset == tokens.count - 1
            batch.append(token, at: position + offset, of: slot, wantsLogits: wantsLogits && isLast)
        }
        do throws(ApusError) {
            try context.run(batch)
        } catch {
            context.remove(slot, from: position)
            throw error
        }
        lengths[slot] = position + tokens.count
        places.removeAll(keepingCapacity: true)
        places.append(batch.count - 1)
    }

    /// Feeds one token to each of several sequences in one pass.
    ///
    /// - Parameters:
    ///   - rows: Rows of occupied slots, in rising order of slots.
    ///   - wantsLogits: Whether the next tokens' logits are needed.
    /// - Throws: `engineFailure` if a slot is full or llama.cpp fails; no row has then advanced.
    func feed(_ rows: some RandomAccessCollection<DecodeRow>, wantsLogits: Bool = true) throws(ApusError) {
        for row in rows { try check(row.slot, at: row.position, count: 1) }
        plan.lay(out: rows.lazy.map(\.slot), policy: policy, slots: slots, canHoldDummy: canHoldDummy)
        batch.removeAll()
        places.removeAll(keepingCapacity: true)
        for entry in plan.entries {
            if let place = entry.row {
                let row = rows[rows.index(rows.startIndex, offsetBy: place)]
                places.append(batch.count)
                batch.append(row.token, at: row.position, of: row.slot, wantsLogits: wantsLogits)
            } else {
                batch.append(TokenID(rawValue: 0), at: lengths[entry.slot] ?? 0, of: entry.slot, wantsLogits: false)
            }
        }
        do throws(ApusError) {
            try context.run(batch, onOneThread: plan.needsOneThread)
        } catch {
            removeDummies()
            for row in rows { context.remove(row.slot, from: row.position) }
            throw error
        }
        removeDummies()
        for row in rows { lengths[row.slot] = row.position + 1 }
    }

    /// Gives the logits after the row with a place among those of the last pass; they are valid during the call.
    func withLogits<Result>(
        ofRow row: Int,
        _ body: (UnsafeBufferPointer<Float>) throws(ApusError) -> Result
    ) throws(ApusError) -> Result {
        try context.withLogits(ofRow: places[row], body)
    }

    private func removeDummies() {
        for entry in plan.entries where entry.row == nil {
            context.remove(entry.slot, from: lengths[entry.slot] ?? 0)
        }
    }

    private func canHoldDummy(_ slot: Int) -> Bool {
        guard let length = lengths[slot] else { return true }
        return canRetract && length < contextTokens
    }

    private func check(_ slot: Int, at position: Int, count: Int) throws(ApusError) {
        precondition(lengths[slot] == position, "slot \(slot) is vacant, or position \(position) isn't its next")
        guard position + count <= contextTokens else {
            throw ApusError(
                .engineFailure,
                "slot \(slot) holds \(contextTokens) tokens; position \(position + count - 1) doesn't fit"
            )
        }
    }
}
#endif
