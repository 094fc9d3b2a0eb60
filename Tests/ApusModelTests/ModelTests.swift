import ApusModel
import Testing

@Suite struct ModelTests {
    @Test(arguments: [0, 1, 31, 0x0123_4567_89ab_cdef, UInt64.max])
    func `A job's name reads back`(raw: UInt64) {
        let job = JobID(rawValue: raw)
        #expect(job.description.utf8.count == 13)
        #expect(JobID(job.description) == job)
        #expect(JobID(job.description.uppercased()) == job)
    }

    @Test(arguments: ["", "0", "zzzzzzzzzzzzz", "000000000000l", "00000000000000"])
    func `What is no job's name is refused`(text: String) {
        #expect(JobID(text) == nil)
    }

    @Test func `A text's digest is FNV-1a's, whatever the process`() {
        #expect("".stableDigest == 0xcbf2_9ce4_8422_2325)
        #expect("a".stableDigest == 0xaf63_dc4c_8601_ec8c)
        #expect("foobar".stableDigest == 0x8594_4171_f739_67e8)
    }

    @Test(arguments: ["", "a b", "ä", "a/b", String(repeating: "x", count: 65)])
    func `What is no name is refused`(text: String) {
        #expect(WorkerName(text) == nil)
    }

    @Test(arguments: [
        (GenerationRequest(prompt: ""), "prompt"),
        (GenerationRequest(prompt: "x", messages: [.user("x")]), "a prompt and messages"),
        (GenerationRequest(messages: [.user("x")], isRaw: true), "raw"),
        (GenerationRequest(messages: Array(repeating: .user(""), count: Limits.messages + 1)), "2049 messages"),
        (GenerationRequest(messages: [ChatMessage(role: "", content: "x")]), "role"),
        (GenerationRequest(messages: [ChatMessage(role: "a|>", content: "x")]), "role"),
        (GenerationRequest(messages: [ChatMessage(role: String(repeating: "a", count: 65), content: "")]), "role"),
        (GenerationRequest(messages: [.user(String(repeating: "a", count: Limits.promptBytes - 3))]), "524289 bytes"),
        (GenerationRequest(prompt: "x", maximumTokens: 0), "max_tokens"),
        (GenerationRequest(prompt: "x", maximumTokens: -5), "max_tokens"),
        (GenerationRequest(prompt: "x", sampling: .init(temperature: -1)), "temperature"),
        (GenerationRequest(prompt: "x", sampling: .init(temperature: .nan)), "temperature"),
        (GenerationRequest(prompt: "x", sampling: .init(topP: 0)), "top_p"),
        (GenerationRequest(prompt: "x", sampling: .init(topK: -1)), "top_k"),
        (GenerationRequest(prompt: "x", stop: [""]), "stop"),
        (GenerationRequest(prompt: "x", deadline: .zero), "deadline"),
    ])
    func `A bad parameter is named`(request: GenerationRequest, name: String) {
        #expect { try request.validate() } throws: { error in
            guard let error = error as? ApusError else { return false }
            return error.code == .invalidRequest && error.message.contains(name)
        }
    }

    @Test func `Time saturates instead of trapping`() {
        #expect(Timestamp(nanoseconds: .max - 1) + .seconds(1) == .distantFuture)
        #expect(Duration.seconds(Int64.max).nanoseconds == .max)
        #expect(Timestamp(nanoseconds: 2_000) - Timestamp(nanoseconds: 500) == .nanoseconds(1_500))
    }
}
