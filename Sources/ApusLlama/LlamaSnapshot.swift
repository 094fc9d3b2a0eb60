#if APUS_LLAMA
import ApusEngine

/// The computed state of a prompt's beginning.
final class LlamaSnapshot: PrefixSnapshot {
    /// The sequence's state; it may go on behind the beginning.
    let state: SequenceState

    /// Takes a state over.
    init(state: SequenceState, tokens: Int) {
        self.state = state
        super.init(tokens: tokens, byteCount: state.bytes.count)
    }
}
#endif
