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

    /// Whether a prompt's passes have widths that are multiples of 8; set once by the probe.
    var padsPrompts = false

    /// Cells behind the context for the dummy tokens of a prompt that fills it.
    private static let paddingCells = 8

    /// The most rows of a pass over one sequence whose logits are all needed.
    static let mostDraftRows = 32

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
            contextTokens: (contextTokens + Self.paddingCells + piece - 1) / piece * piece,
            passTokens: max(passTokens, slots, Self.mostDraftRows),
            outputs: max(slots, Self.mostDraftRows),
            threads: threads
        )
        batch = LlamaBatch(capacity: max(passTokens, slots, Self.mostDraftRows))
        canRetract = model.canRetract
        lengths = Array(repeating: nil, count: slots)
        self.contextTokens = contextTokens
    }

    /// The number of slots.
    var slots: Int { lengths.count }

    /// Tokens that a sequence has; 0 for a vacant slot.
    func length(of slot: Int) -> Int { lengths[slot] ?? 0 }

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

    /// Feeds a piece of a prompt to a sequence, in a pass of its own.
    ///
    /// Where widths tell a prompt's passes from others, dummy tokens behind the prompt's end make the width a multiple of 8;
    /// nothing before them sees them, and they are taken back.
    ///
    /// - Throws: `engineFailure` if the slot is full or llama.cpp fails; the sequence is then as it was.
    func feed(prompt tokens: ArraySlice<TokenID>, to slot: Int, at position: Int, wantsLogits: Bool) throws(ApusError) {
        guard padsPrompts || tokens.count != 1 else {
            return try feed(drawn: tokens, to: slot, at: position, logits: wantsLogits ? 1 : 0)
        }
        let padding = padsPrompts ? (8 - tokens.count % 8) % 8 : 0
        try feed(tokens, padding: padding, to: slot, at: position, logits: wantsLogits ? 1 : 0)
    }

    /// Feeds drawn tokens to a sequence, in a pass of its own; a lone one goes the way of a row.
    ///
    /// - Parameters:
    ///   - tokens: History, or a token and guesses of what follows it; not a multiple of 8 of them where widths matter.
    ///   - slot: The sequence.
    ///   - position: Its next place.
    ///   - logits: Of how many of the last tokens the next one's logits are needed.
    /// - Throws: `engineFailure` if the slot is full or llama.cpp fails; the sequence is then as it was.
    func feed(drawn tokens: ArraySlice<TokenID>, to slot: Int, at position: Int, logits: Int) throws(ApusError) {
        guard let token = tokens.first, tokens.count == 1 else {
            return try feed(tokens, padding: 0, to: slot, at: position, logits: logits)
        }
        let row = DecodeRow(slot: slot, token: token, position: position)
        try feed(CollectionOfOne(row), wantsLogits: logits > 0)
    }

    private func feed(
        _ tokens: ArraySlice<TokenID>,
        padding: Int,
        to slot: Int,
        at position: Int,
        logits: Int
    ) throws(ApusError) {
        try check(slot, at: position, count: tokens.count)
        batch.removeAll()
        places.removeAll(keepingCapacity: true)
        for (offset, token) in tokens.enumerated() {
            let wantsLogits = offset >= tokens.count - logits
            if wantsLogits { places.append(batch.count) }
            batch.append(token, at: position + offset, of: slot, wantsLogits: wantsLogits)
        }
        let end = position + tokens.count
        for offset in 0..<padding {
            batch.append(TokenID(rawValue: 0), at: end + offset, of: slot, wantsLogits: false)
        }
        do throws(ApusError) {
            try context.run(batch)
        } catch {
            context.remove(slot, from: position)
            throw error
        }
        if padding > 0 { context.remove(slot, from: end) }
        lengths[slot] = end
    }

    /// Copies the state of a sequence.
    ///
    /// - Returns: The copy's bytes; `nil` where llama.cpp can't copy it, or the sequence holds other tokens than it has state of.
    func state(of slot: Int) -> SequenceState? { canRetract ? context.state(of: slot) : nil }

    /// Gives a sequence without tokens the first ones of a copied state.
    ///
    /// - Returns: Whether it holds them now; otherwise it holds nothing.
    func restore(_ state: SequenceState, tokens: Int, into slot: Int) -> Bool {
        precondition(lengths[slot] == 0, "slot \(slot) is vacant or holds tokens")
        guard context.restore(state, into: slot) else {
            context.remove(slot, from: 0)
            return false
        }
        context.remove(slot, from: tokens)
        lengths[slot] = tokens
        return true
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
