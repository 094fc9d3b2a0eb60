#if APUS_LLAMA
import ApusModel
internal import CLlama

/// What a GGUF file says of itself, read before its weights: tells language models from all else in that format.
///
/// The keys are those of llama.cpp's converters (`gguf-py/gguf/constants.py` in its source).
struct ModelHeader: ~Copyable {
    private let file: ModelFile
    private let header: OpaquePointer

    /// Reads a file's header; none of its weights.
    ///
    /// - Throws: `invalidRequest` if the header is damaged or cut off.
    init(of file: ModelFile) throws(ApusError) {
        _ = LlamaBackend.takeErrors()
        guard let header = gguf_init_from_file(file.path, gguf_init_params(no_alloc: true, ctx: nil)) else {
            throw ApusError(
                .invalidRequest,
                "the model \(file.path) has a header that is damaged or cut off: "
                    + "\(LlamaBackend.takeErrors() ?? "no reason given"); download or convert it again"
            )
        }
        self.file = file
        self.header = header
    }

    deinit {
        gguf_free(header)
    }

    /// Checks that the file is a whole language model, which continues a text.
    ///
    /// - Throws: `invalidRequest` with a message that says what the file is and what to give instead.
    func checkLanguageModel() throws(ApusError) {
        if let refusal = strangeness ?? missingPart {
            throw ApusError(.invalidRequest, "the model \(file.path) \(refusal)")
        }
    }

    /// What the file is instead of a language model, and what to give.
    private var strangeness: String? {
        let architecture = text("general.architecture")
        switch text("general.type") {
        case "adapter":
            return
                "is an adapter (LoRA), which changes a model and is none itself; give the model that it was made for, "
                + "or merge both with llama-export-lora"
        case "mmproj":
            return Self.projector
        case "imatrix":
            return "is an importance matrix, which serves to quantise a model; give the quantised model"
        default: break
        }
        switch architecture {
        case nil: return "doesn't name its architecture; give a language model that llama.cpp's tools converted"
        case "clip": return Self.projector
        case "imatrix": return "is an importance matrix, which serves to quantise a model; give the quantised model"
        case "controlvector": return "is a control vector, which steers a model and is none itself; give the model"
        case "t5", "t5encoder": return "is an encoder (\(architecture ?? "")); " + Self.causal
        case "dream", "llada", "llada-moe", "rnd1":
            return "is a diffusion model, which doesn't write from left to right; " + Self.causal
        default: break
        }
        guard let architecture else { return nil }
        if flag("\(architecture).attention.causal") == false || architecture == "gemma-embedding" {
            return "is an encoder (\(architecture)), which embeds texts and can't continue them; " + Self.causal
        }
        if let pooling = number("\(architecture).pooling_type"), pooling > 0 {
            return "is an embedding or ranking model (\(architecture) with pooling), which doesn't continue texts; "
                + Self.causal
        }
        return nil
    }

    /// What the file lacks of a model, and what to do.
    private var missingPart: String? {
        if let parts = number("split.count"), parts > 1 {
            return "is one of \(parts) parts; merge them with llama-gguf-split --merge and give the result"
        }
        if ["none", "no_vocab", nil].contains(text("tokenizer.ggml.model")) {
            return "has no vocabulary; convert it again with its tokenizer"
        }
        if gguf_get_n_tensors(header) == 0 { return "is a vocabulary without weights; give the whole model" }
        if expectedBytes > UInt64(file.bytes) {
            return "is cut off: it has \(file.bytes) of \(expectedBytes) bytes; download it again"
        }
        return nil
    }

    private static let causal = "give a causal language model"
    private static let projector =
        "is a projector for images or sound (mmproj), a part of a model; give the language model that it belongs to"

    /// The bytes that the header speaks of; sums that overflow count as endless.
    private var expectedBytes: UInt64 {
        let weights = (0..<gguf_get_n_tensors(header)).reduce(UInt64(0)) { end, tensor in
            let (sum, overflow) = UInt64(gguf_get_tensor_offset(header, tensor))
                .addingReportingOverflow(UInt64(gguf_get_tensor_size(header, tensor)))
            return max(end, overflow ? .max : sum)
        }
        let (sum, overflow) = weights.addingReportingOverflow(UInt64(gguf_get_data_offset(header)))
        return overflow ? .max : sum
    }

    // The library traps on a value of another type than the one asked for, so that each is looked at first.

    private func text(_ key: String) -> String? {
        let place = gguf_find_key(header, key)
        guard place >= 0, gguf_get_kv_type(header, place) == GGUF_TYPE_STRING else { return nil }
        return gguf_get_val_str(header, place).map { String(cString: $0) }
    }

    private func flag(_ key: String) -> Bool? {
        let place = gguf_find_key(header, key)
        guard place >= 0, gguf_get_kv_type(header, place) == GGUF_TYPE_BOOL else { return nil }
        return gguf_get_val_bool(header, place)
    }

    private func number(_ key: String) -> UInt32? {
        let place = gguf_find_key(header, key)
        guard place >= 0 else { return nil }
        switch gguf_get_kv_type(header, place) {
        case GGUF_TYPE_UINT32: return gguf_get_val_u32(header, place)
        case GGUF_TYPE_UINT16: return UInt32(gguf_get_val_u16(header, place))
        case GGUF_TYPE_INT32: return UInt32(exactly: gguf_get_val_i32(header, place))
        default: return nil
        }
    }
}
#endif
