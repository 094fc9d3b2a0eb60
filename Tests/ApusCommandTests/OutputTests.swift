import ApusClient
import ApusModel
import Foundation
import Testing

@testable import apus

@Suite("What the command prints")
struct OutputTests {
    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    @Test("The line of an acceptance is stable")
    func acceptedLine() {
        let line = EventLines.accepted(job: JobID(rawValue: 7), choice: 1, seed: 42)
        #expect(text(line) == #"{"event":"accepted","job":"0000000000007","choice":1,"seed":42}"# + "\n")
    }

    @Test("The line of a token escapes what JSON requires and nothing else")
    func tokenLine() {
        let line = EventLines.token(Token(index: 3, id: TokenID(rawValue: 9), text: "a\"b\\\n\u{1}é"), choice: 0)
        let expected = "{\"event\":\"token\",\"choice\":0,\"index\":3,\"id\":9,\"text\":\"a\\\"b\\\\\\n\\u0001é\"}\n"
        #expect(text(line) == expected)
    }

    @Test("The line of an end is stable")
    func finishedLine() {
        let end = StreamEnd(
            reason: .failed,
            error: ApusError(.engineFailure, "broken"),
            usage: Usage(promptTokens: 4, completionTokens: 2),
            timings: StreamTimings(
                queueWait: .microseconds(1500),
                firstToken: .milliseconds(20),
                total: .milliseconds(30)
            ),
            continuity: .exact,
            attempts: 2
        )
        let expected =
            #"{"event":"finished","choice":2,"reason":"failed","usage":{"prompt_tokens":4,"completion_tokens":2,"total_tokens":6},"#
            + #""timings":{"queue_wait_ms":1.5,"ttft_ms":20.0,"total_ms":30.0},"continuity":"exact","attempts":2,"#
            + #""summary":{"tokens_per_second":100.0,"end_to_end_tokens_per_second":66.667},"#
            + #""error":{"code":"engine_failure","message":"broken"}}"# + "\n"
        #expect(text(EventLines.finished(end, choice: 2)) == expected)
    }

    /// An end with all that can be measured.
    private var measuredEnd: StreamEnd {
        StreamEnd(
            reason: .stop,
            usage: Usage(promptTokens: 40, completionTokens: 20),
            timings: StreamTimings(
                queueWait: .milliseconds(1),
                firstToken: .milliseconds(50),
                total: .milliseconds(250),
                stages: FirstTokenStages(
                    tokenize: .milliseconds(2),
                    dispatch: .milliseconds(3),
                    prefill: .milliseconds(40),
                    sample: .microseconds(500),
                    promptTokens: 40,
                    cachedTokens: 16
                )
            ),
            attempts: 1,
            summary: SessionSummary(
                tokens: 20,
                meanTokenTime: .milliseconds(10),
                p95TokenTime: .milliseconds(12),
                peakMemoryBytes: 300 << 20,
                errors: 2,
                recovered: 1,
                batchSize: 4,
                draftedTokens: 8,
                acceptedTokens: 5,
                cachedTokens: 16
            )
        )
    }

    @Test("The line of an end has the stages of the first token and the session's summary")
    func measuredFinishedLine() {
        let line = text(EventLines.finished(measuredEnd, choice: 0))
        #expect(
            line.contains(
                #""stages":{"queue_ms":1.0,"dispatch_ms":3.0,"tokenize_ms":2.0,"prefill_ms":40.0,"sample_ms":0.5,"#
                    + #""transfer_ms":3.5}}"#
            )
        )
        #expect(
            line.contains(
                #""summary":{"tokens_per_second":100.0,"end_to_end_tokens_per_second":80.0,"mean_token_ms":10.0,"#
                    + #""p95_token_ms":12.0,"measured_tokens":20,"peak_memory_bytes":314572800,"errors":2,"recovered":1,"#
                    + #""error_rate":0.1,"batch_size":4,"cached_prompt_tokens":16,"drafted_tokens":8,"accepted_tokens":5}"#
            )
        )
    }

    @Test("A summary says what was measured and leaves out the rest")
    func summaryLines() {
        #expect(
            SummaryLines.lines(measuredEnd) == [
                "usage        prompt 40 tokens (16 cached), answer 20 tokens, total 60",
                "first token  50.0 ms: queue 1.00, dispatch 3.00, tokenize 2.00, prefill 40.0, sample 0.50, transfer 3.50",
                "tokens       mean 10.0 ms, p95 12.0 ms, 100 tok/s, 80.0 tok/s end to end",
                "worker       peak memory 300 MB, most common batch 4, 5 of 8 guessed tokens accepted",
                "errors       2, recovered 1, 10.0 % a token",
            ]
        )
        let bare = StreamEnd(reason: .failed, usage: Usage(promptTokens: 3))
        #expect(SummaryLines.lines(bare) == ["usage        prompt 3 tokens, answer 0 tokens, total 3"])
    }

    @Test("A token with log probabilities has them on its line, as numbers that JSON knows")
    func logprobLine() {
        let detail = TokenDetail(
            logprob: -0.1234567,
            top: [
                .init(id: TokenID(rawValue: 9), logprob: 0, text: Array("a".utf8)),
                .init(id: TokenID(rawValue: 10), logprob: -.infinity, text: [0xe2, 0x82]),
                .init(id: TokenID(rawValue: 11), logprob: .nan, text: []),
            ]
        )
        let line = EventLines.token(Token(index: 0, id: TokenID(rawValue: 9), text: "a", detail: detail), choice: 1)
        let expected =
            #"{"event":"token","choice":1,"index":0,"id":9,"text":"a","logprob":-0.123457,"top":["#
            + #"{"id":9,"text":"a","logprob":0.0},{"id":10,"text":"\u{FFFD}","logprob":-9999.0},"#
            + #"{"id":11,"text":"","logprob":-9999.0}]}"# + "\n"
        #expect(text(line) == expected.replacing("\\u{FFFD}", with: "\u{FFFD}"))
    }

    @Test("The line of an error names the stream where there are several")
    func errorLineOfAChoice() {
        let line = EventLines.error(ApusError(.unreachable, "gone"), choice: 3)
        #expect(text(line) == #"{"event":"error","choice":3,"code":"unreachable","message":"gone"}"# + "\n")
    }

    @Test("A status is at most 120 columns wide, whatever the names are")
    func statusWidth() {
        var worker = WorkerStatus()
        worker.name = String(repeating: "w", count: Limits.nameBytes)
        worker.model = "SmolLM2-135M-Instruct-Q4_0-and-more"
        worker.pid = 1_234_567
        worker.state = "quarantined"
        worker.slots = 128
        worker.active = 128
        worker.batchSize = 128
        worker.batchLimit = 128
        worker.tokensPerSecond = 12_345
        worker.firstToken.count = 1
        worker.firstToken.p50 = 1_234
        worker.firstToken.p95 = 12_345
        worker.interToken.count = 1
        worker.interToken.p50 = 45.67
        worker.interToken.p95 = 123
        worker.memoryBytes = 12_345 << 20
        worker.load.memory = "pressure"
        worker.load.promptTokens = 3
        worker.load.cacheHitRate = 2.0 / 3
        worker.failures = 123
        worker.exactness = "consistent"
        var status = ClusterStatus()
        status.coordinator = "0123456789abcdef"
        status.version = "0.1.0"
        status.firstToken = worker.firstToken
        status.interToken = worker.firstToken
        status.queueWait = worker.firstToken
        status.workers = [worker]
        let lines = StatusTable.lines(status)
        for line in lines { #expect(line.count <= 120, "\(line.count): \(line)") }
        #expect(lines.last?.contains("pressure 12345   66 %") == true)
    }

    @Test("The line of an error says when to try again")
    func errorLine() {
        let line = EventLines.error(ApusError(.overloaded, "full", retryAfter: .milliseconds(250)))
        let expected = #"{"event":"error","code":"overloaded","message":"full","retry_after_ms":250.0}"# + "\n"
        #expect(text(line) == expected)
    }

    @Test("The status has the names that scripts rely on")
    func statusNames() throws {
        var status = ClusterStatus()
        status.workers = [WorkerStatus()]
        let object = try JSONSerialization.jsonObject(with: Data(try JSONLine.encode(status)))
        let members = try #require(object as? [String: Any])
        let expected: Set<String> = [
            "coordinator", "version", "pid", "uptime_ms", "workers", "streams", "failovers", "hedges", "tokens",
            "tokens_per_second", "ttft_ms", "inter_token_ms", "queue_wait_ms", "clients", "rejected", "malformed",
            "stale", "memory_bytes", "cpu_ms", "journal", "journal_status",
        ]
        #expect(Set(members.keys) == expected)
        let worker = try #require((members["workers"] as? [[String: Any]])?.first)
        let required: Set<String> = [
            "name", "pid", "host", "model", "engine", "state", "slots", "active", "batch_size", "batch_limit",
            "tokens_per_second", "ttft_ms", "inter_token_ms", "step_ms", "queue_wait_ms", "prefill_ms", "last_beat_ms",
            "failures", "tokens",
            "exactness", "fingerprint", "incarnation", "context_tokens", "memory_bytes", "load",
        ]
        #expect(Set(worker.keys) == required)
        let load = try #require(worker["load"] as? [String: Any])
        let counted: Set<String> = [
            "memory", "refusing", "bound", "policy", "prompt_tokens", "cached_tokens", "cache_hit_rate", "cache_bytes",
            "granted_tokens", "granted_ahead_tokens", "lookahead_hit_rate", "drafted_tokens", "accepted_tokens",
            "acceptance_rate", "errors", "recovered",
        ]
        #expect(Set(load.keys) == counted)
        let streams = try #require(members["streams"] as? [String: Any])
        #expect(Set(streams.keys) == ["active", "queued", "completed", "failed", "cancelled"])
        let times = try #require(members["ttft_ms"] as? [String: Any])
        #expect(Set(times.keys) == ["count", "p50", "p95", "p99", "max"])
    }

    @Test("Tables align numbers to the right and carry no trailing blanks")
    func tablesAlign() {
        var table = TextTable(["NAME", ">N", "NOTE"])
        table.add(["a", "100", ""])
        table.add(["bcdef", "7", "x"])
        #expect(table.lines == ["NAME     N  NOTE", "a      100", "bcdef    7  x"])
    }
}
