import ApusModel
import ApusProtocol
import Synchronization
import Testing

@testable import ApusClient

@Suite("Several choices on a socket", .timeLimit(.minutes(1)))
struct ChoicesOnSocketTests {
    private let request = GenerationRequest(prompt: "swifts", maximumTokens: 100, choices: 3)

    /// Accepts a submit of three choices as the streams 70 to 72, and sends i + 1 tokens and the end for each of them.
    private static let generating: FakeCoordinator.Script = { body in
        guard case .submit(let message) = body else { return FakeCoordinator.accepting(body) }
        var tokens = Apus_V1_Tokens()
        tokens.columns = Apus_V1_TokenColumns(Message.tokens((71, 0..<2), (70, 0..<1), (72, 0..<3)))
        return [Message.accepted(message.request, stream: 70, choices: message.generation.choices), .tokens(tokens)]
            + (0..<3).map { Message.finished(UInt64(70 + $0), tokens: $0 + 1) }
    }

    @Test("Each choice has its own text, seed and end")
    func eachItsOwn() async throws {
        try await FakeCoordinator.with(Self.generating) { _, client in
            let streams = try await client.submitChoices(request)
            #expect(streams.map(\.choice) == [0, 1, 2])
            #expect(streams.map(\.choices) == [3, 3, 3])
            #expect(streams.map(\.seed) == (0..<3).map { GenerationRequest.seed(ofChoice: $0, of: 42) })
            #expect(Set(streams.map(\.seed)).count == 3)
            // In any order: none waits for another.
            for choice in [2, 0, 1] {
                let text = (0...choice).map { "\($0) " }.joined()
                #expect(try await streams[choice].text() == text)
                #expect(streams[choice].end?.usage.completionTokens == choice + 1)
            }
        }
    }

    @Test("The callback form says which choice an update is of")
    func callbacks() async throws {
        try await FakeCoordinator.with(Self.generating) { _, client in
            let (updates, inlet) = AsyncStream.makeStream(of: (Int, StreamUpdate).self)
            let subscriptions = try await client.submitChoices(request) { inlet.yield(($0, $1)) }
            #expect(subscriptions.map(\.choice) == [0, 1, 2])
            var texts = ["", "", ""]
            var ended = 0
            for await (choice, update) in updates {
                switch update {
                case .batch(let batch): texts[choice] += batch.text
                case .finished, .failed: ended += 1
                }
                if ended == 3 { break }
            }
            #expect(texts == ["0 ", "0 1 ", "0 1 2 "])
        }
    }

    @Test("A single stream can't be asked for where there are several")
    func aSingleOneIsRefused() async throws {
        try await FakeCoordinator.with(Self.generating) { _, client in
            do {
                _ = try await client.submit(request)
                Issue.record("accepted")
            } catch let error as ApusError {
                #expect(error.code == .invalidRequest)
                #expect(error.message.contains("submitChoices"))
            }
        }
    }

    @Test("Dropping all streams cancels the job once, dropping one only leaves it")
    func dropping() async throws {
        let accepting: FakeCoordinator.Script = { body in
            guard case .submit(let message) = body else { return FakeCoordinator.accepting(body) }
            return [Message.accepted(message.request, stream: 70, choices: 3)]
        }
        try await FakeCoordinator.with(accepting) { coordinator, client in
            var streams = try await client.submitChoices(request)
            streams.removeLast()
            await coordinator.hears { if case .detach(let message) = $0 { message.streams == [72] } else { false } }
            streams.removeAll()
            await coordinator.hears { if case .cancel = $0 { true } else { false } }
        }
    }

    @Test("After a restart of the coordinator each choice goes on at its own index")
    func reconnecting() async throws {
        let script: FakeCoordinator.Script = { body in
            switch body {
            case .submit(let message):
                var tokens = Apus_V1_Tokens()
                tokens.columns = Apus_V1_TokenColumns(Message.tokens((70, 0..<1), (71, 0..<2)))
                return [Message.accepted(message.request, stream: 70, choices: 2), .tokens(tokens)]
            case .attach(let message):
                let stream = 90 + UInt64(message.choice)
                var tokens = Apus_V1_Tokens()
                tokens.columns = Apus_V1_TokenColumns(Message.tokens((stream, Int(message.fromIndex)..<4)))
                return [
                    Message.accepted(message.request, stream: stream, choices: 2), .tokens(tokens),
                    Message.finished(stream, tokens: 4),
                ]
            default: return []
            }
        }
        let first = try FakeCoordinator(script: script)
        await first.start()
        let endpoint = first.endpoint
        try await ApusClient.withClient(ClientConfiguration(endpoint: endpoint, creditWindow: 8)) { client in
            var request = request
            request.choices = 2
            let streams = try await client.submitChoices(request)
            var iterators = streams.map { $0.batches.makeAsyncIterator() }
            #expect(try await iterators[0].next()?.text == "0 ")
            #expect(try await iterators[1].next()?.text == "0 1 ")
            await first.close()
            let second = try FakeCoordinator(endpoint: endpoint, script: script)
            await second.start()
            defer { second.stop() }
            #expect(try await iterators[1].next()?.text == "2 3 ")
            #expect(try await iterators[0].next()?.text == "1 2 3 ")
        }
    }

    @Test("Attach asks for one choice, and a worker's settings go out as they are")
    func attachAndConfigure() async throws {
        let script: FakeCoordinator.Script = { body in
            if case .configureWorkers(let message) = body { return [Message.done(message.request)] }
            return FakeCoordinator.accepting(body)
        }
        try await FakeCoordinator.with(script) { coordinator, client in
            let stream = try await client.attach(job, choice: 2, from: 1)
            #expect(stream.choice == 2)
            await coordinator.hears { body in
                guard case .attach(let message) = body else { return false }
                return message.choice == 2 && message.fromIndex == 1
            }
            for choice in [-1, Limits.choices] {
                await #expect(throws: ApusError.self) { try await client.attach(job, choice: choice) }
            }
            let settings = WorkerSettings(batchMaximum: 4, policy: .aimd, networkStability: 0.5)
            try await client.configure(WorkerName("w"), settings)
            await coordinator.hears { body in
                guard case .configureWorkers(let message) = body else { return false }
                return message.worker == "w" && message.settings == Apus_V1_Configure(settings)
            }
            await #expect(throws: ApusError.self) { try await client.configure(nil, WorkerSettings(batchMinimum: 0)) }
        }
    }

    @Test("A request's every field reaches the coordinator, and an end's summary comes back")
    func everythingTravels() async throws {
        let end: StreamEnd = {
            var end = Message.end(tokens: 0)
            end.timings = StreamTimings(
                queueWait: .milliseconds(1),
                firstToken: .milliseconds(9),
                total: .milliseconds(20),
                stages: FirstTokenStages(prefill: .milliseconds(6), promptTokens: 3, cachedTokens: 2)
            )
            end.summary = SessionSummary(tokens: 5, errors: 1, recovered: 1, batchSize: 4)
            return end
        }()
        try await FakeCoordinator.with { body in
            guard case .submit(let message) = body else { return [] }
            return [
                Message.accepted(message.request, stream: 70, choices: 1),
                .finished(Apus_V1_Finished(stream: StreamID(rawValue: 70), job: job, end: end)),
            ]
        } _: { coordinator, client in
            let request = GenerationRequest(
                messages: [.user("Hi.")],
                sampling: SamplingParameters(minP: 0.1, logitBias: [LogitBias(token: TokenID(rawValue: 3), bias: 1)]),
                constraint: .jsonObject,
                logprobs: 2,
                transferTokens: 8,
                speculates: false
            )
            let stream = try await client.submit(request)
            #expect(try await stream.text().isEmpty)
            #expect(stream.end == end)
            #expect(stream.end?.timings.transfer == .milliseconds(2))
            await coordinator.hears { body in
                guard case .submit(let message) = body else { return false }
                // A request that can't be read is not the one that was sent.
                return (try? GenerationRequest(message.generation)) == request
            }
        }
    }

    @Test("A worker's load comes with the status, with shares that make sense of any numbers")
    func loadOfAWorker() async throws {
        try await FakeCoordinator.with { body in
            guard case .statusRequest(let message) = body else { return [] }
            var worker = Apus_V1_WorkerStatus()
            worker.load.memory = "warning"
            worker.load.refusing = true
            worker.load.bound = "compute"
            worker.load.policy = "cost"
            worker.load.promptTokens = 200
            worker.load.cachedTokens = 50
            worker.load.cacheBytes = .max
            worker.load.grantedAhead = 9
            worker.load.granted = 3
            worker.load.accepted = 2
            worker.load.errors = 4
            worker.load.recovered = 3
            var status = Apus_V1_Status()
            status.request = message.request
            status.workers = [worker]
            return [.status(status)]
        } _: { _, client in
            let load = try #require(try await client.status().workers.first?.load)
            #expect(load.memory == "warning")
            #expect(load.isRefusing)
            #expect(load.bound == "compute")
            #expect(load.policy == "cost")
            #expect(load.cacheHitRate == 0.25)
            #expect(load.cacheBytes == .max)
            #expect(load.lookaheadHitRate == 1)
            #expect(load.acceptanceRate == 0)
            #expect(load.errors == 4)
            #expect(load.recovered == 3)
        }
    }
}
