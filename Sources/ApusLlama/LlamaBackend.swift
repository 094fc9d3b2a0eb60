#if APUS_LLAMA
internal import CLlama
import Synchronization

/// llama.cpp's state that belongs to the process: started once, its log kept off the terminal.
enum LlamaBackend {
    /// The last errors that llama.cpp logged, for the message of the failure that follows them.
    private static let errors = Mutex<[String]>([])

    private static let started: Void = {
        // Invariant: the callback is a C function without context; it may be called on any thread.
        llama_log_set(
            { level, text, _ in
                guard level == GGML_LOG_LEVEL_ERROR, let text else { return }
                LlamaBackend.remember(String(cString: text))
            },
            nil
        )
        llama_backend_init()
    }()

    /// Starts llama.cpp unless it runs already.
    static func start() {
        started
    }

    /// The library's version, a part of the fingerprint.
    static var version: String { String(cString: llama_version()) }

    /// Memory of all graphics processors, in MB; 0 where llama.cpp was built for processors alone.
    static var acceleratorMemoryMB: Int {
        start()
        return (0..<ggml_backend_dev_count()).reduce(0) { sum, index in
            // Invariant: the index is below the count, and devices live as long as the process.
            let device = ggml_backend_dev_get(index)
            switch ggml_backend_dev_type(device) {
            case GGML_BACKEND_DEVICE_TYPE_GPU, GGML_BACKEND_DEVICE_TYPE_IGPU: break
            default: return sum
            }
            var (free, total) = (0, 0)
            ggml_backend_dev_memory(device, &free, &total)
            return sum + (total >> 20)
        }
    }

    /// Takes what llama.cpp logged as an error since the last call, in one line; `nil` if it logged none.
    static func takeErrors() -> String? {
        errors.withLock { lines in
            defer { lines.removeAll() }
            return lines.isEmpty ? nil : lines.joined(separator: "; ")
        }
    }

    private static func remember(_ line: String) {
        // The end of a line comes with it, sometimes alone.
        let text = line.split(whereSeparator: \.isNewline).joined(separator: " ")
        guard !text.isEmpty else { return }
        errors.withLock { lines in
            // The first lines name the cause, later ones its consequences.
            if lines.count < 3 { lines.append(text) }
        }
    }
}
#endif
