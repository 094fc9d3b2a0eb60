import ApusTestKit
import ArgumentParser
import Foundation

/// The peer of the relay benchmark: libzmq alone, one token a message, in the same processes as a cluster has.
///
/// Sources send messages of the size of a one-token message to a relay, which passes each on to the sink: ROUTER to ROUTER, no
/// scheduling, no journal, no credit, no text. What it moves is an upper bound for any relay that sends a message a token.
enum BareRelay {
    /// A version byte, an envelope and one token with a text of seven bytes.
    static let messageBytes = 32

    /// Runs sources, relay and sink as processes.
    ///
    /// - Returns: Tokens a second at the sink.
    static func run(tokens: Int, sources: Int) throws -> Double {
        let program = try TestCluster.program("apus-bench", variable: "APUS_BENCH")
        let relay = try ServerProcess(program, ["bare", "relay", "--tokens", "\(tokens)"])
        let endpoints = try relay.waitUntilReady()
        guard let workers = endpoints["workers"], let clients = endpoints["clients"] else {
            throw ServerProcess.Failure(description: "the bare relay names no endpoints")
        }
        let sink = try ServerProcess(program, ["bare", "sink", "--tokens", "\(tokens)", "--endpoint", clients])
        let started = try (0..<sources).map { _ in
            try ServerProcess(
                program,
                ["bare", "source", "--tokens", "\(tokens / sources)", "--endpoint", workers]
            )
        }
        guard let line = sink.readLine(), let rate = Double(line) else {
            throw ServerProcess.Failure(description: "the bare sink failed: \(sink.errors)\(relay.errors)")
        }
        for process in started + [sink, relay] { process.waitForExit() }
        return rate
    }
}

/// The processes of the bare relay.
struct BareRole: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "bare", shouldDisplay: false)

    @Argument var role: String
    @Option var tokens = 0
    @Option var endpoint = ""

    func run() throws {
        let context = BareContext()
        switch role {
        case "relay": relay(context)
        case "source": source(context)
        case "sink": sink(context)
        default: throw ValidationError("no such role")
        }
    }

    private func relay(_ context: borrowing BareContext) {
        let workers = BareSocket(context, .router)
        let clients = BareSocket(context, .router)
        let endpoints = "workers=\(workers.bind()) clients=\(clients.bind())"
        FileHandle.standardOutput.write(Data("READY \(endpoints)\n".utf8))
        var sink = [UInt8](repeating: 0, count: 16)
        var source = sink
        var payload = [UInt8](repeating: 0, count: 256)
        let sinkLength = clients.receive(&sink)
        _ = clients.receive(&payload)
        for _ in 0..<tokens {
            _ = workers.receive(&source)
            let length = workers.receive(&payload)
            clients.send(sink, sinkLength, more: true)
            clients.send(payload, length)
        }
    }

    private func source(_ context: borrowing BareContext) {
        let dealer = BareSocket(context, .dealer)
        dealer.connect(endpoint)
        let payload = [UInt8](repeating: 7, count: BareRelay.messageBytes)
        for _ in 0..<tokens { dealer.send(payload, payload.count) }
    }

    private func sink(_ context: borrowing BareContext) {
        let dealer = BareSocket(context, .dealer)
        dealer.connect(endpoint)
        var payload = [UInt8](repeating: 0, count: 256)
        dealer.send(payload, 1)
        _ = dealer.receive(&payload)
        let begin = ContinuousClock.now
        for _ in 1..<tokens { _ = dealer.receive(&payload) }
        let seconds = (ContinuousClock.now - begin) / .seconds(1)
        print(Double(tokens - 1) / seconds)
    }
}
