import ApusClient
import ApusModel

/// The lines of `submit` and `attach` with `--output json`: one object a line, stable for scripts.
enum EventLines {
    /// The line of an acceptance, one for each of a job's streams.
    static func accepted(job: JobID, choice: Int, seed: UInt64) -> [UInt8] {
        line { object in
            object.add("event", "accepted")
            object.add("job", job.description)
            object.add("choice", choice)
            object.add("seed", seed)
        }
    }

    /// The lines of a batch's tokens.
    static func tokens(_ batch: TokenBatch, choice: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        for token in batch { bytes.append(contentsOf: self.token(token, choice: choice)) }
        return bytes
    }

    /// The line of a token; with log probabilities where they came.
    static func token(_ token: Token, choice: Int) -> [UInt8] {
        line { object in
            object.add("event", "token")
            object.add("choice", choice)
            object.add("index", token.index)
            object.add("id", token.id.rawValue)
            object.add("text", token.text)
            guard let detail = token.detail else { return }
            object.add(logprob: "logprob", detail.logprob)
            object.add("top", detail.top) { entry, alternative in
                entry.add("id", alternative.id.rawValue)
                entry.add("text", String(decoding: alternative.text, as: UTF8.self))
                entry.add(logprob: "logprob", alternative.logprob)
            }
        }
    }

    /// The line of an end.
    static func finished(_ end: StreamEnd, choice: Int) -> [UInt8] {
        line { object in
            object.add("event", "finished")
            object.add("choice", choice)
            object.add("reason", end.reason.rawValue)
            object.add("usage") { usage in
                usage.add("prompt_tokens", end.usage.promptTokens)
                usage.add("completion_tokens", end.usage.completionTokens)
                usage.add("total_tokens", end.usage.totalTokens)
            }
            object.add("timings") { add(end.timings, to: &$0) }
            object.add("continuity", end.continuity.rawValue)
            object.add("attempts", end.attempts)
            object.add("summary") { addSummary(of: end, to: &$0) }
            if let error = end.error {
                object.add("error") { fields in
                    fields.add("code", error.code.rawValue)
                    fields.add("message", error.message)
                }
            }
        }
    }

    private static func add(_ timings: StreamTimings, to object: inout JSONText) {
        if let wait = timings.queueWait { object.add("queue_wait_ms", wait.milliseconds) }
        if let first = timings.firstToken { object.add("ttft_ms", first.milliseconds) }
        object.add("total_ms", timings.total.milliseconds)
        guard let stages = timings.stages else { return }
        object.add("stages") { object in
            if let wait = timings.queueWait { object.add("queue_ms", wait.milliseconds) }
            object.add("dispatch_ms", stages.dispatch.milliseconds)
            object.add("tokenize_ms", stages.tokenize.milliseconds)
            object.add("prefill_ms", stages.prefill.milliseconds)
            object.add("sample_ms", stages.sample.milliseconds)
            if let transfer = timings.transfer { object.add("transfer_ms", transfer.milliseconds) }
        }
    }

    private static func addSummary(of end: StreamEnd, to object: inout JSONText) {
        let figures = SessionFigures(end)
        if let rate = figures.tokensPerSecond { object.add("tokens_per_second", rate) }
        if let rate = figures.endToEndTokensPerSecond { object.add("end_to_end_tokens_per_second", rate) }
        guard let summary = end.summary else { return }
        object.add("mean_token_ms", summary.meanTokenTime.milliseconds)
        object.add("p95_token_ms", summary.p95TokenTime.milliseconds)
        object.add("measured_tokens", summary.tokens)
        object.add("peak_memory_bytes", summary.peakMemoryBytes)
        object.add("errors", summary.errors)
        object.add("recovered", summary.recovered)
        if let rate = figures.errorRate { object.add("error_rate", rate) }
        object.add("batch_size", summary.batchSize)
        object.add("cached_prompt_tokens", summary.cachedTokens)
        object.add("drafted_tokens", summary.draftedTokens)
        object.add("accepted_tokens", summary.acceptedTokens)
    }

    /// The line of an error; `choice` says which of the job's streams it is about, where the job has several.
    static func error(_ error: ApusError, choice: Int? = nil) -> [UInt8] {
        line { object in
            object.add("event", "error")
            if let choice { object.add("choice", choice) }
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
