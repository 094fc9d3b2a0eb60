#if APUS_LLAMA
import ApusModel
internal import CLlama

/// The input of one `llama_decode` call, in memory that is allocated once.
final class LlamaBatch {
    private let capacity: Int
    private let tokens: UnsafeMutablePointer<llama_token>
    private let positions: UnsafeMutablePointer<llama_pos>
    private let sequenceCounts: UnsafeMutablePointer<Int32>
    private let sequences: UnsafeMutablePointer<llama_seq_id>
    private let sequencePointers: UnsafeMutablePointer<UnsafeMutablePointer<llama_seq_id>?>
    private let outputs: UnsafeMutablePointer<Int8>

    /// The number of rows.
    private(set) var count = 0

    /// Makes room for rows.
    init(capacity: Int) {
        self.capacity = capacity
        tokens = .allocate(capacity: capacity)
        positions = .allocate(capacity: capacity)
        sequenceCounts = .allocate(capacity: capacity)
        sequences = .allocate(capacity: capacity)
        sequencePointers = .allocate(capacity: capacity)
        outputs = .allocate(capacity: capacity)
        for row in 0..<capacity {
            // Invariant: each row's list of sequences is its own element, always one long.
            sequenceCounts[row] = 1
            sequencePointers[row] = sequences + row
        }
    }

    deinit {
        tokens.deallocate()
        positions.deallocate()
        sequenceCounts.deallocate()
        sequences.deallocate()
        sequencePointers.deallocate()
        outputs.deallocate()
    }

    /// Removes every row.
    func removeAll() {
        count = 0
    }

    /// Appends a row; traps when the batch is full.
    ///
    /// - Parameters:
    ///   - token: The token to feed.
    ///   - position: Its place in the sequence.
    ///   - slot: The sequence.
    ///   - wantsLogits: Whether the next token's logits are needed.
    func append(_ token: TokenID, at position: Int, of slot: Int, wantsLogits: Bool) {
        precondition(count < capacity, "a pass has at most \(capacity) rows")
        // Invariant: count < capacity, the length of every column.
        tokens[count] = token.rawValue
        positions[count] = Int32(position)
        sequences[count] = Int32(slot)
        outputs[count] = wantsLogits ? 1 : 0
        count += 1
    }

    /// The rows as llama.cpp takes them; valid until the batch changes.
    var raw: llama_batch {
        llama_batch(
            n_tokens: Int32(count),
            token: tokens,
            embd: nil,
            pos: positions,
            n_seq_id: sequenceCounts,
            seq_id: sequencePointers,
            logits: outputs
        )
    }
}
#endif
