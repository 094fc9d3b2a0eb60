import ApusModel
import ApusProtocol
import Synchronization
import Testing

@testable import ApusClient

@Suite("The client on a socket", .timeLimit(.minutes(1)))
struct ApusClientTests {
    private let request = GenerationRequest(prompt: "swifts", maximumTokens: 100)

    @Test("A submit gives tokens in order and then the end")
    func submitGivesTokensAndTheEnd() async throws {
        try await FakeCoordinator.with(FakeCoordinator.generating(3)) { _, client in
            let stream = try await client.submit(request)
            #expect(stream.job == job)
            #expect(stream.seed == 42)
            var events: [StreamEvent] = []
            for try await event in stream { events.append(event) }
            let tokens = (0..<3).map { index in
                StreamEvent.token(Token(index: index, id: TokenID(rawValue: Int32(index)), text: "\(index) "))
            }
            #expect(events == tokens + [.finished(Message.end(tokens: 3))])
            #expect(stream.end == Message.end(tokens: 3))
        }
    }

    @Test("Text, tokens and batches are views of the same stream")
    func viewsOfAStream() async throws {
        try await FakeCoordinator.with(FakeCoordinator.generating(3)) { _, client in
            #expect(try await client.submit(request).text() == "0 1 2 ")
            var indexes: [Int] = []
            for try await token in try await client.submit(request).tokens { indexes.append(token.index) }
            #expect(indexes == [0, 1, 2])
            var count = 0
            for try await batch in try await client.submit(request).batches { count += batch.count }
            #expect(count == 3)
        }
    }

    @Test("The callback form receives batches and one end on the client's thread")
    func callbackForm() async throws {
        try await FakeCoordinator.with(FakeCoordinator.generating(3)) { _, client in
            let (updates, inlet) = AsyncStream.makeStream(of: StreamUpdate.self)
            let subscription = try await client.submit(request) { inlet.yield($0) }
            #expect(subscription.job == job)
            var text = ""
            for await update in updates {
                guard case .batch(let batch) = update else { break }
                text += batch.text
            }
            #expect(text == "0 1 2 ")
        }
    }

    @Test("A rejection is thrown with its code")
    func rejectionIsThrown() async throws {
        let rejecting: FakeCoordinator.Script = { body in
            if case .submit(let message) = body { [Message.rejected(message.request, .unknownModel)] } else { [] }
        }
        try await FakeCoordinator.with(rejecting) { _, client in
            await #expect(throws: ApusError(.unknownModel, "no")) { try await client.submit(request) }
        }
    }

    @Test("A failed job ends with its error as data, and the text throws it")
    func failedJobs() async throws {
        let failing: FakeCoordinator.Script = { body in
            guard case .submit(let message) = body else { return [] }
            var end = Message.end(tokens: 0, .failed)
            end.error = ApusError(.engineFailure, "broken")
            return [
                Message.accepted(message.request, stream: 70),
                .finished(Apus_V1_Finished(stream: StreamID(rawValue: 70), job: job, end: end)),
            ]
        }
        try await FakeCoordinator.with(failing) { _, client in
            var events: [StreamEvent] = []
            for try await event in try await client.submit(request) { events.append(event) }
            guard case .finished(let end)? = events.last, events.count == 1 else {
                Issue.record("\(events)")
                return
            }
            #expect(end.error == ApusError(.engineFailure, "broken"))
            let stream = try await client.submit(request)
            await #expect(throws: ApusError(.engineFailure, "broken")) { try await stream.text() }
        }
    }

    @Test("Cancelling the consuming task cancels the job")
    func taskCancellationCancelsTheJob() async throws {
        try await FakeCoordinator.with(FakeCoordinator.accepting) { coordinator, client in
            let stream = try await client.submit(request)
            let task = Task { try await stream.text() }
            task.cancel()
            await #expect(throws: ApusError(.cancelled, "the consuming task was cancelled")) { try await task.value }
            await coordinator.hears { if case .cancel = $0 { true } else { false } }
        }
    }

    @Test("Cancelling a submit before its acceptance cancels the job, also when the client is shut down at once")
    func cancellationBeforeTheAcceptance() async throws {
        let waiting: FakeCoordinator.Script = { body in
            if case .submit = body { [] } else { FakeCoordinator.accepting(body) }
        }
        let coordinator = try FakeCoordinator(script: waiting)
        defer { coordinator.stop() }
        await coordinator.start()
        let client = try await ApusClient(configuration: ClientConfiguration(endpoint: coordinator.endpoint))
        let task = Task { try await client.submit(request, key: "mine") }
        await coordinator.hears { if case .submit = $0 { true } else { false } }
        task.cancel()
        await #expect(throws: ApusError(.cancelled, "the waiting task was cancelled")) { try await task.value }
        async let closed: Void = client.shutdown()
        // The first request of a client is 1.
        await coordinator.send(Message.accepted(1, stream: 70))
        await coordinator.hears { body in
            if case .cancel(let message) = body { message.job == job.description } else { false }
        }
        await closed
    }

    @Test("A client that the coordinator gave up joins again and its stream goes on")
    func aForgottenClientResumes() async throws {
        try await FakeCoordinator.with { body in
            guard case .attach(let message) = body else { return FakeCoordinator.accepting(body) }
            var tokens = Apus_V1_Tokens()
            tokens.columns = Apus_V1_TokenColumns(Message.tokens((71, Int(message.fromIndex)..<4)))
            return [Message.accepted(message.request, stream: 71), .tokens(tokens), Message.finished(71, tokens: 4)]
        } _: { coordinator, client in
            let stream = try await client.submit(request)
            await coordinator.send(Message.unknownPeer)
            #expect(try await stream.text() == "0 1 2 3 ")
        }
    }

    @Test("A job whose retention ends under its follower finishes with not_found")
    func retentionEndsUnderAFollower() async throws {
        try await FakeCoordinator.with(FakeCoordinator.accepting) { coordinator, client in
            let stream = try await client.submit(request)
            let end = Message.retentionEnd(tokens: 0)
            await coordinator.send(.finished(Apus_V1_Finished(stream: StreamID(rawValue: 70), job: job, end: end)))
            var events: [StreamEvent] = []
            for try await event in stream { events.append(event) }
            #expect(events == [.finished(end)])
        }
    }

    @Test("Dropping a submitted stream cancels the job")
    func droppingCancelsTheJob() async throws {
        try await FakeCoordinator.with(FakeCoordinator.accepting) { coordinator, client in
            _ = try await client.submit(request)
            await coordinator.hears { body in
                if case .cancel(let message) = body { message.job == job.description } else { false }
            }
        }
    }

    @Test("A detached stream leaves its job running, and so does a dropped attachment")
    func detachingLeavesTheJob() async throws {
        try await FakeCoordinator.with { body in
            if case .cancel = body { Issue.record("cancelled") }
            if case .statusRequest(let message) = body {
                var status = Apus_V1_Status()
                status.request = message.request
                return [.status(status)]
            }
            return FakeCoordinator.accepting(body)
        } _: { _, client in
            try await client.submit(request).detach()
            _ = try await client.attach(job)
            // The status travels behind whatever the dropped streams sent.
            _ = try await client.status()
        }
    }

    @Test("Credit is returned as tokens are consumed, and not before")
    func creditFollowsConsumption() async throws {
        try await FakeCoordinator.with(FakeCoordinator.accepting) { coordinator, client in
            let stream = try await client.submit(request)
            var tokens = Apus_V1_Tokens()
            tokens.columns = Apus_V1_TokenColumns(Message.tokens((70, 0..<8)))
            await coordinator.send(.tokens(tokens))
            var iterator = stream.batches.makeAsyncIterator()
            #expect(try await iterator.next()?.count == 8)
            await coordinator.hears { body in
                guard case .credit(let message) = body else { return false }
                return message.streams == [70] && message.limits == [16]
            }
        }
    }

    @Test("A restarted coordinator is found again and the stream goes on at its next index")
    func reconnectsAndResumes() async throws {
        let first = try FakeCoordinator(script: FakeCoordinator.accepting)
        await first.start()
        let endpoint = first.endpoint
        try await ApusClient.withClient(ClientConfiguration(endpoint: endpoint, creditWindow: 8)) { client in
            let stream = try await client.submit(request)
            var tokens = Apus_V1_Tokens()
            tokens.columns = Apus_V1_TokenColumns(Message.tokens((70, 0..<2)))
            await first.send(.tokens(tokens))
            var iterator = stream.batches.makeAsyncIterator()
            #expect(try await iterator.next()?.text == "0 1 ")
            await first.close()
            let second = try FakeCoordinator(endpoint: endpoint) { body in
                guard case .attach(let message) = body else { return FakeCoordinator.accepting(body) }
                var tokens = Apus_V1_Tokens()
                tokens.columns = Apus_V1_TokenColumns(Message.tokens((90, Int(message.fromIndex)..<4)))
                return [
                    Message.accepted(message.request, stream: 90), .tokens(tokens), Message.finished(90, tokens: 4),
                ]
            }
            await second.start()
            defer { second.stop() }
            #expect(try await iterator.next()?.text == "2 3 ")
            #expect(try await iterator.next() == nil)
        }
    }

    @Test("Where nobody listens a call is unreachable and says what to do")
    func nobodyListens() async throws {
        let configuration = ClientConfiguration(endpoint: "tcp://127.0.0.1:1", connectTimeout: .milliseconds(50))
        try await ApusClient.withClient(configuration) { client in
            do {
                _ = try await client.status()
                Issue.record("answered")
            } catch let error as ApusError {
                #expect(error.code == .unreachable)
                #expect(error.message.contains("apus up"))
            }
        }
    }

    @Test("An impossible endpoint is refused at once")
    func impossibleEndpoint() async {
        do {
            _ = try await ApusClient(configuration: ClientConfiguration(endpoint: "nonsense"))
            Issue.record("connected")
        } catch {
            #expect(error.code == .invalidRequest)
        }
    }

    @Test("A client that is shut down refuses everything and can be shut down again")
    func shutdownRefuses() async throws {
        let client = try await ApusClient(configuration: ClientConfiguration(endpoint: "tcp://127.0.0.1:1"))
        await client.shutdown()
        await client.shutdown()
        await #expect(throws: ApusError(.cancelled, "the client is shut down")) { try await client.status() }
        await #expect(throws: ApusError(.cancelled, "the client is shut down")) { try await client.submit(request) }
    }

    @Test("A client's thread ends with it, shut down or dropped")
    func threadsEnd() async throws {
        for isShutDown in [true, false] {
            weak var connection: ClientConnection?
            do {
                let client = try await ApusClient(configuration: ClientConfiguration(endpoint: "tcp://127.0.0.1:1"))
                connection = client.connection
                if isShutDown { await client.shutdown() }
            }
            // The thread holds the connection until its last turn; the suite's time limit ends a wait in vain.
            while connection != nil { await Task.yield() }
        }
    }

    @Test("Bad parameters are refused before anything is sent")
    func badParameters() async throws {
        let client = try await ApusClient(configuration: ClientConfiguration(endpoint: "tcp://127.0.0.1:1"))
        let longKey = String(repeating: "k", count: Limits.keyBytes + 1)
        for (bad, key) in [(GenerationRequest(prompt: ""), "k"), (request, ""), (request, longKey)] {
            do {
                _ = try await client.submit(bad, key: key)
                Issue.record("accepted")
            } catch {
                #expect(error.code == .invalidRequest)
            }
        }
        await client.shutdown()
    }
}
