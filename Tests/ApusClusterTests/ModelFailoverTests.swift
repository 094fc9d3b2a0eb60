import ApusClient
import ApusModel
import ApusTestKit
import Foundation
import Testing

/// The promise on the real model: kill or stop a worker at any index, and the text is that of the undisturbed run.
@Suite(.serialized, .timeLimit(.minutes(10))) struct ModelFailoverTests {
    let cluster: TestCluster

    init() throws {
        cluster = try TestCluster(executable: TestCluster.program("apus", variable: "APUS"))
    }

    private func startWorker() throws -> ServerProcess {
        // The other processes of this test need a core, too.
        try cluster.startWorker(["--engine", "llama", "--threads", "1", "--slots", "2", "--context", "1024"])
    }

    /// When a worker is disturbed.
    private enum Moment {
        /// While it computes the prompt.
        case prefill
        /// Once so many tokens have come.
        case tokens(Int)
        /// Once all but so many tokens have come; by then the worker may have finished.
        case beforeLast(Int)
    }

    private struct Outcome {
        var ids: [Int32] = []
        var text = ""
        var end: StreamEnd?
    }

    /// Follows a stream to its end; `disturb` is called once, before its first token or after one.
    private func run(
        _ client: ApusClient,
        _ request: GenerationRequest,
        after tokens: Int? = nil,
        disturb: () async throws -> Void = {}
    ) async throws -> Outcome {
        var outcome = Outcome()
        let stream = try await client.submit(request)
        if tokens == 0 { try await disturb() }
        for try await event in stream {
            switch event {
            case .token(let token):
                #expect(token.index == outcome.ids.count)
                outcome.ids.append(token.id.rawValue)
                outcome.text += token.text
                if outcome.ids.count == tokens { try await disturb() }
            case .finished(let finished): outcome.end = finished
            }
        }
        return outcome
    }

    /// The worker that has a stream; `nil` where none has.
    private func busyWorker(_ client: ApusClient) async throws -> pid_t? {
        let workers = try await client.status().workers
        return workers.first { $0.active > 0 && $0.state == "ready" }.map { pid_t($0.pid) }
    }

    @Test func `The text is the same wherever a worker is killed or stopped`() async throws {
        let greedy = GenerationRequest(prompt: "Tell me about the common swift.", maximumTokens: 64)
        let story = (1...30).map { "On day \($0) the swift flew over the old town." }.joined(separator: " ")
        // More than two canonical chunks of 128 tokens.
        let long = GenerationRequest(
            prompt: story + " What did the swift do next?",
            maximumTokens: 16,
            sampling: SamplingParameters(temperature: 0.8, topK: 40, topP: 0.95, seed: 7)
        )
        let cases: [(request: GenerationRequest, moments: [(Moment, signal: Int32)])] = [
            (greedy, [(.tokens(40), SIGSTOP)]),
            (long, [(.prefill, SIGKILL), (.tokens(1), SIGKILL), (.beforeLast(1), SIGKILL), (.beforeLast(0), SIGKILL)]),
        ]
        var worker = try startWorker()
        // A small window: while this test looks for the busy worker, the stream can't run to its end.
        let configuration = ClientConfiguration(endpoint: cluster.clients, name: "test", creditWindow: 8)
        try await ApusClient.withClient(configuration) { client in
            for (request, moments) in cases {
                let undisturbed = try await run(client, request)
                #expect(undisturbed.end?.reason.isSuccess == true)
                #expect(undisturbed.ids.count > 10)
                for (moment, signal) in moments {
                    let successor = try startWorker()
                    let index =
                        switch moment {
                        case .prefill: 0
                        case .tokens(let count): count
                        case .beforeLast(let count): undisturbed.ids.count - count
                        }
                    let disturbed = try await run(client, request, after: index) {
                        var busy = try await busyWorker(client)
                        if case .prefill = moment {
                            while busy == nil { busy = try await busyWorker(client) }
                        }
                        // Both workers are idle at first: which of them takes the stream does not matter.
                        if busy == successor.processID {
                            successor.kill(signal)
                        } else {
                            worker.kill(signal)
                            worker = successor
                        }
                    }
                    #expect(disturbed.ids == undisturbed.ids)
                    #expect(disturbed.text == undisturbed.text)
                    #expect(disturbed.end?.usage == undisturbed.end?.usage)
                    switch moment {
                    case .prefill:
                        #expect(disturbed.end?.continuity == .restart)
                        #expect(disturbed.end?.attempts == 2)
                    case .tokens:
                        #expect(disturbed.end?.continuity == .exact)
                        #expect(disturbed.end?.attempts == 2)
                    case .beforeLast:
                        #expect(disturbed.end?.continuity == .exact)
                        #expect((1...2).contains(disturbed.end?.attempts ?? 0))
                    }
                }
                if request == long { #expect((undisturbed.end?.usage.promptTokens ?? 0) > 256) }
            }
            let status = try await client.status()
            #expect(status.workers.allSatisfy { $0.exactness == "exact" })
        }
    }
}
