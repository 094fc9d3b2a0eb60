import ApusTestKit
import ArgumentParser
import CZeroMQ
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
        // Invariant of all calls below: the sockets are used by this thread only, and every buffer outlives its call.
        let context = zmq_ctx_new()
        defer { zmq_ctx_term(context) }
        switch role {
        case "relay": try relay(context)
        case "source": try source(context)
        case "sink": try sink(context)
        default: throw ValidationError("no such role")
        }
    }

    private func socket(_ context: UnsafeMutableRawPointer?, _ kind: Int32) -> UnsafeMutableRawPointer? {
        let socket = zmq_socket(context, kind)
        var depth: Int32 = 100_000
        zmq_setsockopt(socket, ZMQ_SNDHWM, &depth, 4)
        zmq_setsockopt(socket, ZMQ_RCVHWM, &depth, 4)
        return socket
    }

    private func relay(_ context: UnsafeMutableRawPointer?) throws {
        let workers = socket(context, ZMQ_ROUTER)
        let clients = socket(context, ZMQ_ROUTER)
        var mandatory: Int32 = 1
        zmq_setsockopt(clients, ZMQ_ROUTER_MANDATORY, &mandatory, 4)
        let endpoints = [(workers, "workers"), (clients, "clients")].map { socket, name in
            zmq_bind(socket, "tcp://127.0.0.1:*")
            var text = [CChar](repeating: 0, count: 128)
            var length = text.count
            zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, &text, &length)
            return "\(name)=\(String(decoding: text.prefix(length - 1).map { UInt8(bitPattern: $0) }, as: UTF8.self))"
        }
        FileHandle.standardOutput.write(Data("READY \(endpoints.joined(separator: " "))\n".utf8))
        var sink = [UInt8](repeating: 0, count: 16)
        var payload = [UInt8](repeating: 0, count: 256)
        let sinkLength = Int(zmq_recv(clients, &sink, sink.count, 0))
        _ = zmq_recv(clients, &payload, payload.count, 0)
        var source = [UInt8](repeating: 0, count: 16)
        for _ in 0..<tokens {
            _ = zmq_recv(workers, &source, source.count, 0)
            let length = Int(zmq_recv(workers, &payload, payload.count, 0))
            zmq_send(clients, &sink, sinkLength, ZMQ_SNDMORE)
            zmq_send(clients, &payload, length, 0)
        }
        zmq_close(workers)
        zmq_close(clients)
    }

    private func source(_ context: UnsafeMutableRawPointer?) throws {
        let dealer = socket(context, ZMQ_DEALER)
        zmq_connect(dealer, endpoint)
        var payload = [UInt8](repeating: 7, count: BareRelay.messageBytes)
        for _ in 0..<tokens { zmq_send(dealer, &payload, payload.count, 0) }
        zmq_close(dealer)
    }

    private func sink(_ context: UnsafeMutableRawPointer?) throws {
        let dealer = socket(context, ZMQ_DEALER)
        zmq_connect(dealer, endpoint)
        var payload = [UInt8](repeating: 0, count: 256)
        zmq_send(dealer, &payload, 1, 0)
        _ = zmq_recv(dealer, &payload, payload.count, 0)
        let begin = ContinuousClock.now
        for _ in 1..<tokens { _ = zmq_recv(dealer, &payload, payload.count, 0) }
        let seconds = (ContinuousClock.now - begin) / .seconds(1)
        print(Double(tokens - 1) / seconds)
        zmq_close(dealer)
    }
}
