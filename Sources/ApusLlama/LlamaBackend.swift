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
