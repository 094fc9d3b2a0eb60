import ApusEngine
import ApusModel
import ApusProtocol
import ApusWorker
import Logging
import ServiceLifecycle
import Testing

/// A worker, by default with a simulated engine that costs nothing.
private func makeWorker(
    coordinator: String,
    beatInterval: Duration = .milliseconds(80),
    onReady: @escaping @Sendable (EngineDescription) -> Void = { _ in },
    engine: @escaping @Sendable () throws -> any InferenceEngine = { SimulatedEngine(.free) }
) throws -> Worker {
    var configuration = WorkerConfiguration(coordinator: coordinator, name: WorkerName(unchecked: "w1"))
    configuration.enlistmentTimeout = .milliseconds(200)
    configuration.beatInterval = beatInterval
    return try Worker(configuration: configuration, logger: silent, onReady: onReady, engine: engine)
}

private let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// Runs a worker against a fake coordinator for the time of a test.
private func withWorker(
    beatInterval: Duration = .milliseconds(80),
    engine: @escaping @Sendable () throws -> any InferenceEngine = { SimulatedEngine(.free) },
    onReady: @escaping @Sendable (EngineDescription) -> Void = { _ in },
    body: @escaping @Sendable (FakeCoordinator) async throws -> Void
) async throws {
    let coordinator = try FakeCoordinator()
    let endpoint = try await coordinator.start()
    defer { coordinator.stop() }
    let worker = try makeWorker(
        coordinator: endpoint,
        beatInterval: beatInterval,
        onReady: onReady,
        engine: engine
    )
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await worker.run() }
        try await body(coordinator)
        group.cancelAll()
        try await group.waitForAll()
    }
}

/// The texts of a stream's tokens, checked to be complete and in order.
private func text(of stream: UInt64, in columns: [Apus_V1_TokenColumns], from first: UInt64 = 0) -> String {
    var bytes: [UInt8] = []
    var next = first
    for wire in columns {
        let columns = TokenColumns(wire)
        #expect(columns.isValid)
        var token = 0
        var byte = 0
        for row in 0..<columns.rows {
            for place in 0..<Int(columns.counts[row]) {
                let length = Int(columns.textLengths[token])
                if columns.streams[row] == stream {
                    #expect(columns.firstIndexes[row] + UInt64(place) == next)
                    next += 1
                    bytes += columns.text[byte..<byte + length]
                }
                token += 1
                byte += length
            }
        }
    }
    return String(decoding: bytes, as: UTF8.self)
}

extension Apus_V1_TokenColumns {
    /// Whether some stream has all its tokens before an index with these; steps may share a frame.
    fileprivate func reaches(_ index: UInt64) -> Bool {
        zip(firstIndexes, counts).contains { $0 + UInt64($1) >= index }
    }
}

@Suite("Worker", .timeLimit(.minutes(1)))
struct WorkerTests {
    @Test("It registers with what it is, and is ready once it is enlisted")
    func registers() async throws {
        let (ready, continuation) = AsyncStream.makeStream(of: EngineDescription.self)
        try await withWorker(onReady: { continuation.yield($0) }) { coordinator in
            let register = try await coordinator.enlist()
            #expect(register.name == "w1")
            #expect(register.model == "simulated")
            #expect(register.engine == "simulated")
            #expect(register.exactness == "exact")
            #expect(register.fingerprint.count == 16)
            #expect(register.slots == 16)
            #expect(register.version == ApusVersion.release)
            #expect(register.pid > 0)
            #expect(!register.host.isEmpty)
            #expect(register.held.isEmpty)
            let description = await ready.first { _ in true }
            #expect(description?.engine == "simulated")
        }
    }

    @Test("Without an answer it registers again, under the same incarnation")
    func registersAgain() async throws {
        try await withWorker { coordinator in
            let first = await coordinator.next { $0.register.name.isEmpty ? nil : $0.register }
            let second = try await coordinator.enlist()
            #expect(first.incarnation == second.incarnation)
            var error = Apus_V1_Error()
            error.code = "not_found"
            try await coordinator.send(.error(error))
            let third = try await coordinator.enlist()
            #expect(third.incarnation == first.incarnation)
        }
    }

    @Test("With a prompt's first token comes word that the prompt and its history are computed")
    func tellsPrefilledTokens() async throws {
        try await withWorker { coordinator in
            _ = try await coordinator.enlist()
            #expect(await coordinator.step().load.prefilledTokens == 0)
            try await coordinator.assign(5, tokens: 10)
            let first = await coordinator.step { $0.hasTokens }
            #expect(first.load.prefilledTokens == 3)
            #expect(first.cachedBlocks.isEmpty)
            try await coordinator.assign(6, tokens: 10, history: [0, 1, 2, 3])
            let second = await coordinator.step { $0.tokens.streams.contains(6) }
            #expect(second.load.prefilledTokens == 10)
            // Beats say it as well.
            let beat = await coordinator.step { !$0.hasTokens }
            #expect(beat.load.prefilledTokens == 10)
        }
    }

    @Test("An assigned stream comes whole, with its end and its measurements")
    func runsAssignment() async throws {
        try await withWorker { coordinator in
            _ = try await coordinator.enlist()
            try await coordinator.assign(5, tokens: 200)
            let (tokens, end) = await coordinator.collect(untilEndOf: 5)
            #expect(text(of: 5, in: tokens) == SimulatedEngine.text(seed: 5, prompt: "a prompt", count: 200))
            #expect(end.reason == "length")
            #expect(end.promptTokens == 3)
            #expect(end.endIndex == UInt64(tokens.reduce(0) { $0 + $1.ids.count }))
            try await coordinator.acknowledge(5, through: 200, limit: 200)
            let measured = await coordinator.step { $0.hasInterTokenUs && $0.hasStepUs }
            #expect(measured.interTokenUs.counts.reduce(0, +) > 0)
            #expect(measured.load.batchLimit > 1)
        }
    }

    @Test("An impossible assignment ends with its reason")
    func impossibleAssignment() async throws {
        try await withWorker { coordinator in
            _ = try await coordinator.enlist()
            try await coordinator.assign(5, tokens: 0, history: [1, 2])
            let (_, end) = await coordinator.collect(untilEndOf: 5)
            #expect(end.reason == "failed")
            #expect(end.endIndex == 2)
            #expect(end.errorCode == "invalid_request")
        }
    }

    @Test("An idle worker gives beats; a long step gives beats that say it is busy")
    func beats() async throws {
        var configuration = SimulatedEngineConfiguration.free
        configuration.stepMicroseconds = 400_000
        let slow = configuration
        try await withWorker(engine: { SimulatedEngine(slow) }) { coordinator in
            _ = try await coordinator.enlist()
            let idle = await coordinator.step()
            #expect(!idle.busy)
            #expect(idle.load.active == 0)
            try await coordinator.assign(5, tokens: 3)
            let first = await coordinator.step { $0.busy && !$0.hasTokens && $0.load.active == 1 }
            let second = await coordinator.step { $0.busy && !$0.hasTokens }
            #expect(first.progress == second.progress)
            #expect(second.load.memoryBytes > 0)
            let (_, end) = await coordinator.collect(untilEndOf: 5)
            #expect(end.reason == "length")
            let after = await coordinator.step { !$0.busy }
            #expect(after.progress > second.progress)
        }
    }

    @Test("After a reconnect it says what it holds and sends again what is not acknowledged")
    func resendsAfterReconnect() async throws {
        try await withWorker { coordinator in
            _ = try await coordinator.enlist()
            try await coordinator.assign(5, tokens: 50)
            try await coordinator.assign(6, tokens: 50, limit: 10)
            _ = await coordinator.collect(untilEndOf: 5)
            try await coordinator.acknowledge(5, through: 20, limit: 50)
            // The answer to a ping of the engine's thread: the acknowledgement has been taken.
            try await coordinator.assign(9, tokens: 1)
            _ = await coordinator.collect(untilEndOf: 9)
            try await coordinator.restart()
            var keep = Apus_V1_Held()
            keep.stream = 5
            keep.epoch = 1
            let register = try await coordinator.enlist(keep: [keep])
            #expect(register.held.map(\.stream) == [5, 6, 9])
            // Of the second stream 16 tokens are computed ahead of its credit.
            #expect(register.held.map(\.nextIndex) == [50, 26, 1])
            let (tokens, end) = await coordinator.collect(untilEndOf: 5)
            let whole = SimulatedEngine.text(seed: 5, prompt: "a prompt", count: 50)
            let rest = text(of: 5, in: tokens, from: 20)
            #expect(whole == SimulatedEngine.text(seed: 5, prompt: "a prompt", count: 20) + rest)
            #expect(tokens.allSatisfy { Set($0.streams) == [5] })
            #expect(end.reason == "length")
        }
    }

    @Test("A revoked attempt stops, and another epoch of it runs from its history on")
    func revocation() async throws {
        try await withWorker { coordinator in
            _ = try await coordinator.enlist()
            try await coordinator.assign(5, tokens: 50, limit: 10)
            _ = await coordinator.step { $0.tokens.reaches(10) }
            var revoke = Apus_V1_Revoke()
            revoke.streams = [5]
            revoke.epochs = [1]
            try await coordinator.send(.revoke(revoke))
            try await coordinator.assign(5, epoch: 2, tokens: 50)
            let (tokens, end) = await coordinator.collect(untilEndOf: 5)
            #expect(text(of: 5, in: tokens) == SimulatedEngine.text(seed: 5, prompt: "a prompt", count: 50))
            #expect(end.epoch == 2)
        }
    }

    @Test("Garbage is dropped and harms nothing")
    func garbage() async throws {
        try await withWorker { coordinator in
            _ = try await coordinator.enlist()
            for bytes: [UInt8] in [[], [1], [9, 9, 9], [1, 0xFF, 0xFF, 0xFF], Array(repeating: 1, count: 5_000)] {
                try await coordinator.send(raw: bytes)
            }
            try await coordinator.send(.hello(Apus_V1_Hello()))
            var ack = Apus_V1_Ack()
            ack.streams = [1, 2]
            try await coordinator.send(.ack(ack))
            ack.through = [.max, .max]
            ack.limits = [.max, .max]
            try await coordinator.send(.ack(ack))
            var assign = Apus_V1_Assign()
            assign.stream = .max
            assign.epoch = .max
            assign.limit = .max
            assign.generation.prompt = "x"
            assign.generation.maxTokens = 3
            assign.history = [.min, .max]
            try await coordinator.send(.assign(assign))
            let (_, end) = await coordinator.collect(untilEndOf: .max)
            #expect(end.reason == "length")
        }
    }

    @Test("Drained, it finishes what runs, takes nothing new, says Bye and ends")
    func drains() async throws {
        try await withWorker { coordinator in
            _ = try await coordinator.enlist()
            try await coordinator.assign(5, tokens: 30, limit: 10)
            _ = await coordinator.step { $0.tokens.reaches(10) }
            try await coordinator.send(.drainWorker(Apus_V1_DrainWorker()))
            try await coordinator.assign(6, tokens: 30)
            try await coordinator.acknowledge(5, through: 10, limit: 30)
            let (tokens, end) = await coordinator.collect(untilEndOf: 5)
            #expect(tokens.allSatisfy { Set($0.streams) == [5] })
            #expect(end.reason == "length")
            try await coordinator.acknowledge(5, through: 30, limit: 30)
            await coordinator.bye()
        }
    }

    @Test("Of a long step it tells before the step begins, without waiting for a beat")
    func announcement() async throws {
        var configuration = SimulatedEngineConfiguration.free
        configuration.prefillChunk = 128
        configuration.prefillMicrosecondsPerToken = 100_000
        let slow = configuration
        try await withWorker(beatInterval: .seconds(30), engine: { SimulatedEngine(slow) }) { coordinator in
            _ = try await coordinator.enlist()
            // Three tokens of prompt: 300 ms. A beat would come after the end.
            try await coordinator.assign(5, tokens: 3)
            let first = await coordinator.step { $0.busy || $0.hasTokens }
            #expect(first.busy)
            #expect(!first.hasTokens)
            // The margin of an eighth of a whole chunk: what the smallest one may take.
            #expect(first.load.stepUs == 4_800_000)
            let (_, end) = await coordinator.collect(untilEndOf: 5)
            #expect(end.reason == "length")
        }
    }

    @Test("Drained by a coordinator that then restarts, it says after each enlistment that it leaves")
    func leavesAgain() async throws {
        try await withWorker { coordinator in
            _ = try await coordinator.enlist()
            try await coordinator.assign(5, tokens: 30, limit: 10)
            _ = await coordinator.step { $0.tokens.reaches(10) }
            try await coordinator.send(.drainWorker(Apus_V1_DrainWorker()))
            for _ in 0..<2 {
                try await coordinator.restart()
                var held = Apus_V1_Held()
                held.stream = 5
                held.epoch = 1
                _ = try await coordinator.enlist(keep: [held])
                await coordinator.leave()
            }
            try await coordinator.send(.drainWorker(Apus_V1_DrainWorker()))
            try await coordinator.acknowledge(5, through: 10, limit: 30)
            _ = await coordinator.collect(untilEndOf: 5)
            try await coordinator.acknowledge(5, through: 30, limit: 30)
            await coordinator.bye()
        }
    }

    @Test("Shut down gracefully, it says that it leaves, and says it again after a reconnect")
    func leavesGracefully() async throws {
        let coordinator = try FakeCoordinator()
        let endpoint = try await coordinator.start()
        defer { coordinator.stop() }
        let group = ServiceGroup(services: [try makeWorker(coordinator: endpoint)], logger: silent)
        async let running: Void = group.run()
        _ = try await coordinator.enlist()
        try await coordinator.assign(5, tokens: 30, limit: 10)
        _ = await coordinator.step { $0.tokens.reaches(10) }
        await group.triggerGracefulShutdown()
        await coordinator.leave()
        try await coordinator.restart()
        _ = try await coordinator.enlist()
        await coordinator.leave()
        try await coordinator.send(.drainWorker(Apus_V1_DrainWorker()))
        await coordinator.bye()
        try await running
    }

    @Test("Cancelled, it says Bye")
    func cancellation() async throws {
        try await withRegistering { coordinator, running in
            _ = try await coordinator.enlist()
            _ = await coordinator.step()
            running.cancel()
            await coordinator.bye()
            try await running.value
        }
    }

    @Test("An engine that can't be made ends the run with its error")
    func engineFailure() async throws {
        let failure = ApusError(.engineFailure, "no such file")
        let worker = try makeWorker(coordinator: "tcp://127.0.0.1:9", engine: { throw failure })
        await #expect(throws: failure) { try await worker.run() }
    }

    @Test("An impossible endpoint ends the run with an error")
    func badEndpoint() async throws {
        let worker = try makeWorker(coordinator: "nonsense")
        await #expect(throws: ApusError.self) { try await worker.run() }
    }

    @Test("A coordinator of another version ends the run with its error")
    func versionMismatch() async throws {
        try await withRegistering { coordinator, running in
            _ = await coordinator.next { $0.register.name.isEmpty ? nil : $0.register }
            var error = Apus_V1_Error()
            error.code = ApusError.Code.versionMismatch.rawValue
            try await coordinator.send(.error(error))
            await #expect { try await running.value } throws: { ($0 as? ApusError)?.code == .versionMismatch }
        }
    }

    /// Runs a worker whose end is what the test is about.
    private func withRegistering(_ body: (FakeCoordinator, Task<Void, any Error>) async throws -> Void) async throws {
        let coordinator = try FakeCoordinator()
        let endpoint = try await coordinator.start()
        defer { coordinator.stop() }
        let worker = try makeWorker(coordinator: endpoint)
        try await body(coordinator, Task { try await worker.run() })
    }
}
