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

    /// The stream's ids, text and end; `disturb` is called once the given number of tokens has come.
    private func run(
        _ client: ApusClient,
        _ request: GenerationRequest,
        at index: Int = .max,
        disturb: () throws -> Void = {}
    ) async throws -> (ids: [Int32], text: String, end: StreamEnd?) {
        var ids: [Int32] = []
        var text = ""
        var end: StreamEnd?
        for try await event in try await client.submit(request) {
            switch event {
            case .token(let token):
                #expect(token.index == ids.count)
                ids.append(token.id.rawValue)
                text += token.text
                if ids.count == index { try disturb() }
            case .finished(let finished): end = finished
            }
        }
        return (ids, text, end)
    }

    @Test func `The text is the same wherever a worker is killed or stopped`() async throws {
        let greedy = GenerationRequest(prompt: "Tell me about the common swift.", maximumTokens: 90)
        let sampled = GenerationRequest(
            prompt: "Write a poem about flying.",
            maximumTokens: 90,
            sampling: SamplingParameters(temperature: 0.8, topK: 40, topP: 0.95, seed: 7)
        )
        var worker = try startWorker()
        try await ApusClient.withClient(ClientConfiguration(endpoint: cluster.clients, name: "test")) { client in
            for (request, indexes) in [(greedy, [1, 30, 70]), (sampled, [2, 64])] {
                let undisturbed = try await run(client, request)
                #expect(undisturbed.end?.reason.isSuccess == true)
                #expect(undisturbed.text.count > 100)
                for (place, index) in indexes.enumerated() {
                    let successor = try startWorker()
                    // The successor is idle, the present worker too: which of them takes the stream does not matter.
                    let signal = place == 1 ? SIGSTOP : SIGKILL
                    var spare: ServerProcess?
                    let disturbed = try await run(client, request, at: index) {
                        let status = try cluster.run(["status", "--output", "json"]).output
                        let busy = try Self.busyWorker(in: status)
                        if busy == worker.processID {
                            worker.kill(signal)
                            spare = successor
                        } else {
                            successor.kill(signal)
                            spare = worker
                        }
                    }
                    #expect(disturbed.ids == undisturbed.ids)
                    #expect(disturbed.text == undisturbed.text)
                    #expect(disturbed.end?.continuity == .exact)
                    #expect(disturbed.end?.attempts == 2)
                    #expect(disturbed.end?.usage == undisturbed.end?.usage)
                    worker = try #require(spare)
                }
            }
            let status = try await client.status()
            #expect(status.workers.allSatisfy { $0.exactness == "exact" })
        }
    }

    private static func busyWorker(in json: String) throws -> pid_t? {
        let status = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any]
        let workers = status?["workers"] as? [[String: Any]] ?? []
        return workers.first { ($0["active"] as? Int ?? 0) > 0 && $0["state"] as? String == "ready" }?["pid"]
            .flatMap { $0 as? Int }.map { pid_t($0) }
    }
}
