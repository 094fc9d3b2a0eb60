#if APUS_LLAMA
import ApusModel
internal import CLlama

/// A model's weights in memory.
final class LlamaModel {
    /// llama.cpp's model; valid as long as this object.
    let pointer: OpaquePointer

    /// Its vocabulary; valid as long as this object.
    let vocabulary: OpaquePointer

    /// Loads a model from a file that looked like one.
    ///
    /// - Throws: `invalidRequest` if it isn't a whole language model or llama.cpp can't load it.
    init(file: ModelFile) throws(ApusError) {
        LlamaBackend.start()
        try ModelHeader(of: file).checkLanguageModel()
        _ = LlamaBackend.takeErrors()
        guard let model = llama_model_load_from_file(file.path, llama_model_default_params()) else {
            let reason = LlamaBackend.takeErrors() ?? "no reason given"
            let advice =
                reason.contains("unknown model architecture")
                ? "give a language model of a kind that it knows" : "download or convert it again"
            throw ApusError(.invalidRequest, "llama.cpp can't load the model \(file.path): \(reason); \(advice)")
        }
        pointer = model
        vocabulary = llama_model_get_vocab(model)
        let kind: String? =
            if llama_vocab_type(vocabulary) == LLAMA_VOCAB_TYPE_NONE || vocabularySize < 2 {
                "has no vocabulary"
            } else if llama_model_has_encoder(model) || !llama_model_has_decoder(model) {
                "is an encoder"
            } else if llama_model_is_diffusion(model) {
                "is a diffusion model"
            } else {
                nil
            }
        if let kind {
            throw ApusError(.invalidRequest, "the model \(file.path) \(kind); give a causal language model")
        }
    }

    deinit {
        llama_model_free(pointer)
    }

    /// The most sequences that a context of this build takes.
    static var mostSequences: Int { Int(llama_max_parallel_sequences()) }

    /// The number of tokens in the vocabulary.
    var vocabularySize: Int { Int(llama_vocab_n_tokens(vocabulary)) }

    /// The context that the model was trained for.
    var trainingContext: Int { Int(llama_model_n_ctx_train(pointer)) }

    /// Whether the last positions of a sequence can be taken back; a recurrent state can't.
    var canRetract: Bool { !llama_model_is_recurrent(pointer) && !llama_model_is_hybrid(pointer) }

    /// The chat template's source; `nil` if the model has none.
    var chatTemplate: String? { llama_model_chat_template(pointer, nil).map { String(cString: $0) } }
}
#endif
