import ApusModel
import Testing

@testable import ZeroMQ

@Suite("Poll driver", .timeLimit(.minutes(1)))
struct PollDriverTests {
    let context: ZeroMQContext

    init() throws { context = try ZeroMQContext() }

    /// Sends messages and waits for their echoes.
    private func exchange(_ count: Int, with endpoint: String) throws {
        let dealer = try Socket(context, .dealer)
        try dealer.connect(endpoint)
        for index in 0..<count { try dealer.sendWhenConnected([UInt8(truncatingIfNeeded: index)]) }
        for index in 0..<count { #expect(try dealer.nextDirect() == .message([UInt8(truncatingIfNeeded: index)])) }
    }

    @Test("What a turn leaves in the inbox makes the next turn come by itself")
    func levelTriggered() async throws {
        let gone = Signal()
        do {
            let echo = try Echo(context, PollExecutor(name: "budget"), budget: 1, gone: gone)
            try exchange(200, with: try await echo.start())
            #expect(await echo.failures == 0)
            echo.executor.stop()
        }
        await gone.wait()
    }

    @Test("A monitor is a source like a socket")
    func monitorIsPolled() async throws {
        let gone = Signal()
        do {
            let echo = try Echo(context, PollExecutor(name: "monitor"), gone: gone)
            try exchange(1, with: try await echo.start())
            while await !echo.events.isSuperset(of: [.listening, .accepted, .handshakeSucceeded, .disconnected]) {
                await Task.yield()
            }
            echo.executor.stop()
        }
        await gone.wait()
    }

    @Test("A source without interest makes no turn; with interest again its messages arrive")
    func interest() async throws {
        let gone = Signal()
        do {
            let echo = try Echo(context, PollExecutor(name: "interest"), gone: gone)
            let endpoint = try await echo.start()
            await echo.setListening(false)
            let dealer = try Socket(context, .dealer)
            try dealer.connect(endpoint)
            try dealer.sendWhenConnected([1])
            guard case .none = try dealer.receive() else {
                Issue.record("an echo of a source that is not polled")
                return
            }
            await echo.setListening(true)
            #expect(try dealer.nextDirect() == .message([1]))
            await echo.registerAgain()
            try dealer.sendWhenConnected([2])
            #expect(try dealer.nextDirect() == .message([2]))
            echo.executor.stop()
        }
        await gone.wait()
    }

    @Test("An idle driver has no turns")
    func idle() async throws {
        let gone = Signal()
        do {
            let echo = try Echo(context, PollExecutor(name: "idle"), gone: gone)
            let endpoint = try await echo.start()
            try exchange(1, with: endpoint)
            while await !echo.events.contains(.disconnected) { await Task.yield() }
            let before = await echo.idleTurns
            try exchange(100, with: endpoint)
            // Beyond the messages' own, turns come from connection events and from the two questions here.
            #expect(await echo.idleTurns - before < 50)
            echo.executor.stop()
        }
        await gone.wait()
    }

    @Test("Sockets of an actor close with it, whoever lets it go last")
    func deinitialises() async throws {
        for _ in 0..<20 {
            weak var ended: ZeroMQContext?
            let gone = Signal()
            do {
                let context = try ZeroMQContext()
                ended = context
                let echo = try Echo(context, PollExecutor(name: "deinit"), gone: gone)
                _ = try await echo.start()
                echo.executor.stop()
            }
            await gone.wait()
            while ended != nil { await Task.yield() }
        }
    }

    @Test("Traffic, jobs and wakes from several sides at once lose nothing")
    func stress() async throws {
        let gone = Signal()
        do {
            let echo = try Echo(context, PollExecutor(name: "stress"), budget: 10, gone: gone)
            let endpoint = try await echo.start()
            try await withThrowingTaskGroup { group in
                for _ in 0..<2 {
                    group.addTask { try exchange(900, with: endpoint) }
                    group.addTask { for _ in 0..<5000 { echo.executor.wake() } }
                    group.addTask { for _ in 0..<500 { _ = await echo.failures } }
                }
                try await group.waitForAll()
            }
            #expect(await echo.failures == 0)
            echo.executor.stop()
        }
        await gone.wait()
    }

    @Test("A ready set knows slots apart")
    func readySet() {
        var ready = ReadySet()
        let tokens = (0..<PollSources.maximumCount).map { PollToken(slot: $0, serial: 1) }
        ready.insert(.readable, slot: 0)
        ready.insert(.writable, slot: 15)
        #expect(tokens.filter { ready.contains($0) }.map(\.slot) == [0, 15])
        #expect(tokens.filter { ready.isReadable($0) }.map(\.slot) == [0])
        #expect(tokens.filter { ready.isWritable($0) }.map(\.slot) == [15])
        ready.remove(slot: 15)
        #expect(tokens.filter { ready.contains($0) }.map(\.slot) == [0])
    }
}
