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
        let line = EventLines.accepted(job: JobID(rawValue: 7), seed: 42)
        #expect(text(line) == "{\"event\":\"accepted\",\"job\":\"0000000000007\",\"seed\":42}\n")
    }

    @Test("The line of a token escapes what JSON requires and nothing else")
    func tokenLine() {
        let line = EventLines.token(Token(index: 3, id: TokenID(rawValue: 9), text: "a\"b\\\n\u{1}é"))
        let expected = "{\"event\":\"token\",\"index\":3,\"id\":9,\"text\":\"a\\\"b\\\\\\n\\u0001é\"}\n"
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
            #"{"event":"finished","reason":"failed","usage":{"prompt_tokens":4,"completion_tokens":2,"total_tokens":6},"#
            + #""timings":{"queue_wait_ms":1.5,"ttft_ms":20.0,"total_ms":30.0},"continuity":"exact","attempts":2,"#
            + #""error":{"code":"engine_failure","message":"broken"}}"# + "\n"
        #expect(text(EventLines.finished(end)) == expected)
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
            "stale", "memory_bytes", "cpu_ms", "journal",
        ]
        #expect(Set(members.keys) == expected)
        let worker = try #require((members["workers"] as? [[String: Any]])?.first)
        let required: Set<String> = [
            "name", "pid", "host", "model", "engine", "state", "slots", "active", "batch_size", "batch_limit",
            "tokens_per_second", "ttft_ms", "inter_token_ms", "step_ms", "queue_wait_ms", "prefill_ms", "last_beat_ms",
            "failures", "tokens",
            "exactness", "fingerprint", "incarnation", "context_tokens", "memory_bytes",
        ]
        #expect(Set(worker.keys) == required)
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
