#if APUS_LLAMA
import ApusModel
internal import CLlama

/// llama.cpp's working state: the caches of all sequences and the buffers of a pass.
///
/// The settings are those under which a token's bits don't depend on its companions: a cache of its own for each sequence,
/// flash attention, keys and values in F16.
final class LlamaContext {
    private let model: LlamaModel
    private let pointer: OpaquePointer
    private let memory: OpaquePointer
    private let threads: Int32
    private let vocabularySize: Int

    /// Allocates the caches.
    ///
    /// - Parameters:
    ///   - model: The model; kept alive.
    ///   - slots: The number of sequences.
    ///   - contextTokens: Tokens in each sequence.
    ///   - passTokens: The most tokens of one pass.
    ///   - outputs: The most rows of a pass whose logits are needed.
    ///   - threads: Threads that compute a pass.
    /// - Throws: `engineFailure` if there isn't enough memory; `invalidRequest` if the model keeps no cache.
    init(
        model: LlamaModel,
        slots: Int,
        contextTokens: Int,
        passTokens: Int,
        outputs: Int,
        threads: Int
    ) throws(ApusError) {
        var parameters = llama_context_default_params()
        parameters.n_ctx = UInt32(contextTokens * slots)
        parameters.n_batch = UInt32(passTokens)
        parameters.n_ubatch = UInt32(passTokens)
        parameters.n_seq_max = UInt32(slots)
        // llama.cpp would make room for the logits of a whole pass.
        parameters.n_outputs_max = UInt32(outputs)
        parameters.n_threads = Int32(threads)
        parameters.n_threads_batch = Int32(threads)
        parameters.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED
        parameters.type_k = GGML_TYPE_F16
        parameters.type_v = GGML_TYPE_F16
        parameters.kv_unified = false
        parameters.no_perf = true
        _ = LlamaBackend.takeErrors()
        guard let context = llama_init_from_model(model.pointer, parameters) else {
            let reason = LlamaBackend.takeErrors() ?? "no reason given"
            throw ApusError(
                .engineFailure,
                "llama.cpp can't make room for \(slots) slots of \(contextTokens) tokens: \(reason); ask for fewer"
            )
        }
        guard let memory = llama_get_memory(context) else {
            llama_free(context)
            throw ApusError(.invalidRequest, "the model keeps no cache of a sequence; give a causal language model")
        }
        self.model = model
        self.memory = memory
        self.threads = Int32(threads)
        pointer = context
        vocabularySize = model.vocabularySize
    }

    deinit {
        llama_free(pointer)
    }

    /// Computes a pass.
    ///
    /// - Parameters:
    ///   - batch: The rows.
    ///   - alone: Whether a single thread computes it.
    /// - Throws: `engineFailure`; rows may have got into the caches and are to be removed.
    func run(_ batch: LlamaBatch, onOneThread alone: Bool = false) throws(ApusError) {
        if alone { llama_set_n_threads(pointer, 1, 1) }
        // Invariant: the batch's columns hold `count` rows and don't change during the call.
        let status = llama_decode(pointer, batch.raw)
        if alone { llama_set_n_threads(pointer, threads, threads) }
        guard status == 0 else {
            let reason = LlamaBackend.takeErrors() ?? (status == 1 ? "the cache is full" : "no reason given")
            throw ApusError(.engineFailure, "llama.cpp failed at a pass of \(batch.count) rows (\(status)): \(reason)")
        }
    }

    /// Gives the logits of a row of the last pass to `body`; they are valid during the call.
    ///
    /// - Throws: `engineFailure` if the row has none, or what `body` throws.
    func withLogits<Result>(
        ofRow row: Int,
        _ body: (UnsafeBufferPointer<Float>) throws(ApusError) -> Result
    ) throws(ApusError) -> Result {
        guard let logits = llama_get_logits_ith(pointer, Int32(row)) else {
            throw ApusError(.engineFailure, "llama.cpp has no logits for row \(row)")
        }
        // Invariant: llama.cpp keeps one float a vocabulary token there until the next pass.
        return try body(UnsafeBufferPointer(start: logits, count: vocabularySize))
    }

    /// Copies what a sequence's cache holds; `nil` where llama.cpp can't.
    func state(of slot: Int) -> SequenceState? {
        let size = llama_state_seq_get_size(pointer, Int32(slot))
        guard size > 0 else { return nil }
        let state = SequenceState(capacity: size)
        // Invariant: the buffer has the size that is passed.
        guard llama_state_seq_get_data(pointer, state.bytes.baseAddress, size, Int32(slot)) == size else { return nil }
        return state
    }

    /// Fills a sequence that holds nothing with a copied state; returns whether it could.
    func restore(_ state: SequenceState, into slot: Int) -> Bool {
        // Invariant: the buffer has the size that is passed, and came from a context of these settings.
        llama_state_seq_set_data(pointer, state.bytes.baseAddress, state.bytes.count, Int32(slot)) == state.bytes.count
    }

    /// Removes what a sequence's cache holds from a position on.
    ///
    /// - Returns: Whether it could; a recurrent model can only remove everything.
    @discardableResult
    func remove(_ slot: Int, from position: Int) -> Bool {
        llama_memory_seq_rm(memory, Int32(slot), Int32(position), -1)
    }
}
#endif
