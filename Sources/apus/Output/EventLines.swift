import ApusClient
import ApusModel

/// The lines of `submit` and `attach` with `--output json`: one object a line, stable for scripts.
enum EventLines {
    /// The line of an acceptance.
    static func accepted(job: JobID, seed: UInt64) -> [UInt8] {
        line { object in
            object.add("event", "accepted")
            object.add("job", job.description)
            object.add("seed", seed)
        }
    }

    /// The lines of a batch's tokens.
    static func tokens(_ batch: TokenBatch) -> [UInt8] {
        var bytes: [UInt8] = []
        for token in batch { bytes.append(contentsOf: self.token(token)) }
        return bytes
    }

    /// The line of a token.
    static func token(_ token: Token) -> [UInt8] {
        line { object in
            object.add("event", "token")
            object.add("index", token.index)
            object.add("id", token.id.rawValue)
            object.add("text", token.text)
        }
    }

    /// The line of an end.
    static func finished(_ end: StreamEnd) -> [UInt8] {
        line { object in
            object.add("event", "finished")
            object.add("reason", end.reason.rawValue)
            object.add("usage") { usage in
                usage.add("prompt_tokens", end.usage.promptTokens)
                usage.add("completion_tokens", end.usage.completionTokens)
                usage.add("total_tokens", end.usage.totalTokens)
            }
            object.add("timings") { timings in
                if let wait = end.timings.queueWait { timings.add("queue_wait_ms", wait.milliseconds) }
                if let first = end.timings.firstToken { timings.add("ttft_ms", first.milliseconds) }
                timings.add("total_ms", end.timings.total.milliseconds)
            }
            object.add("continuity", end.continuity.rawValue)
            object.add("attempts", end.attempts)
            if let error = end.error {
                object.add("error") { fields in
                    fields.add("code", error.code.rawValue)
                    fields.add("message", error.message)
                }
            }
        }
    }

    /// The line of an error.
    static func error(_ error: ApusError) -> [UInt8] {
        line { object in
            object.add("event", "error")
            object.add("code", error.code.rawValue)
            object.add("message", error.message)
            if let wait = error.retryAfter { object.add("retry_after_ms", wait.milliseconds) }
        }
    }

    private static func line(_ build: (inout JSONText) -> Void) -> [UInt8] {
        var object = JSONText()
        build(&object)
        return object.closed + [UInt8(ascii: "\n")]
    }
}
