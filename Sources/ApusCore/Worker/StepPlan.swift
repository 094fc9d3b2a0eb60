/// What one engine step does: sequences take their slots, then one forward pass runs.
///
/// A sequence is named by its key: a small number that the pipeline chooses and reuses after the sequence has left.
package struct StepPlan: Hashable, Sendable {
    /// A sequence that gets a slot in this step.
    package struct Seat: Hashable, Sendable {
        /// The sequence.
        package var key: Int

        /// The slot, vacant until now.
        package var slot: Int
    }

    /// A run of prompt or history tokens of one sequence.
    package struct Chunk: Hashable, Sendable {
        /// The sequence.
        package var key: Int

        /// The sequence's slot.
        package var slot: Int

        /// The chunk's places in the sequence; wholly prompt or wholly history.
        package var positions: Range<Int>

        /// Whether the places are the prompt's.
        package var isPrompt: Bool

        /// The index of the token to draw after the chunk; `nil` where more chunks follow.
        package var drawing: Int?
    }

    /// A sequence that gets its next token from the batched pass.
    package struct Row: Hashable, Sendable {
        /// The sequence.
        package var key: Int

        /// The sequence's slot.
        package var slot: Int

        /// The place of the token that is fed.
        package var position: Int

        /// The index of the token that is drawn.
        package var index: Int

        /// Tokens may be drawn up to, not including, this index.
        package var limit: Int
    }

    /// New sequences with their slots, oldest first.
    package var seats: [Seat] = []

    /// The chunk that the pass runs; `nil` where it runs the rows.
    package var chunk: Chunk?

    /// Rows of the batched pass, in rising order of slots; none where a chunk runs.
    package var rows: [Row] = []

    /// An empty plan.
    package init() {}

    /// Whether nothing can go on: no sequence has both work and credit.
    package var isEmpty: Bool { chunk == nil && rows.isEmpty }

    /// Empties the plan and keeps its memory.
    package mutating func removeAll() {
        seats.removeAll(keepingCapacity: true)
        chunk = nil
        rows.removeAll(keepingCapacity: true)
    }
}
