import ApusClient
import ApusModel
import ApusProtocol
import ApusTestKit
import Foundation
import Testing
import ZeroMQ

/// Peers that send what they should not: an answer where one is possible, and nobody else disturbed.
@Suite(.serialized, .timeLimit(.minutes(3))) struct HostilePeerTests {
    let cluster: TestCluster
    let worker: ServerProcess

    init() throws {
        cluster = try TestCluster(executable: TestCluster.program("apus", variable: "APUS"))
        worker = try cluster.startSimulatedWorker(slots: 8)
    }

    /// A dealer that sends raw frames and waits for the first envelope that is no ping.
    private final class RawPeer {
        let socket: Socket

        init(_ endpoint: String) throws {
            socket = try Socket(ZeroMQContext(), .dealer)
            try socket.connect(endpoint)
        }

        func send(_ bytes: [UInt8]) throws {
            while try socket.send(bytes) != .sent {}
        }

        /// The next answer; `nil` where none comes within twenty seconds.
        func answer() throws -> Apus_V1_Envelope.OneOf_Body? {
            let deadline = ContinuousClock.now + .seconds(20)
            while ContinuousClock.now < deadline {
                guard case .message(let frame) = try socket.receive() else { continue }
                let envelope = try frame.withBytes { try EnvelopeCodec.decode($0) }
                if case .ping = envelope.body { continue }
                return envelope.body
            }
            return nil
        }
    }

    private func expectHealthy() async throws {
        try await ApusClient.withClient(ClientConfiguration(endpoint: cluster.clients, name: "test")) { client in
            let stream = try await client.submit(GenerationRequest(prompt: "still there?", maximumTokens: 5))
            var count = 0
            for try await _ in stream.tokens { count += 1 }
            #expect(count == 5)
        }
    }

    @Test(arguments: [false, true]) func `Garbage and another version are answered`(onWorkersPort: Bool) async throws {
        let peer = try RawPeer(onWorkersPort ? cluster.workers : cluster.clients)
        try peer.send([1, 0xff, 0xff, 0xff, 0xff])
        guard case .error(let error) = try peer.answer() else {
            Issue.record("garbage is not answered")
            return
        }
        #expect(error.code == ApusError.Code.protocolViolation.rawValue)
        try peer.send([2, 0, 0])
        guard case .error(let version) = try peer.answer() else {
            Issue.record("another version is not answered")
            return
        }
        #expect(version.code == ApusError.Code.versionMismatch.rawValue)
        // A message of the other side's is understood and refused.
        try peer.send(try EnvelopeCodec.encode(Apus_V1_Envelope(.status(Apus_V1_Status()))))
        guard case .error(let unsupported) = try peer.answer() else {
            Issue.record("a foreign message is not answered")
            return
        }
        #expect(unsupported.code == ApusError.Code.unsupported.rawValue)
        try await expectHealthy()
    }

    @Test func `A flood of random frames leaves the cluster as it was`() async throws {
        var generator = SystemRandomNumberGenerator()
        for endpoint in [cluster.clients, cluster.workers] {
            let peer = try RawPeer(endpoint)
            for round in 0..<5_000 {
                var bytes = (0..<Int.random(in: 0..<200)).map { _ in UInt8.random(in: 0...255, using: &generator) }
                if round % 2 == 0 { bytes.insert(1, at: 0) }
                try peer.send(bytes)
            }
            _ = try peer.answer()
        }
        try await expectHealthy()
    }

    @Test func `Raw bytes on the ports and an oversized frame disturb nobody`() async throws {
        for endpoint in [cluster.clients, cluster.workers] {
            let port = try #require(UInt16(endpoint.split(separator: ":").last ?? ""))
            for bytes in [Array("GET / HTTP/1.1\r\n\r\n".utf8), [UInt8](repeating: 0xff, count: 100_000)] {
                try RawTCP.send(bytes, toPort: port)
            }
            let peer = try RawPeer(endpoint)
            try peer.send([UInt8](repeating: 1, count: Limits.frameBytes + 1))
        }
        try await expectHealthy()
    }

    @Test func `Requests that make no sense are refused with their number`() async throws {
        let peer = try RawPeer(cluster.clients)
        var attach = Apus_V1_Attach()
        attach.request = 7
        attach.job = "nonsense"
        try peer.send(try EnvelopeCodec.encode(Apus_V1_Envelope(.attach(attach))))
        guard case .rejected(let rejected) = try peer.answer() else {
            Issue.record("a bad job name is not rejected")
            return
        }
        #expect(rejected.request == 7)
        #expect(rejected.code == ApusError.Code.invalidRequest.rawValue)
        var submit = Apus_V1_Submit()
        submit.request = 8
        submit.key = "k"
        submit.generation.prompt = "x"
        try peer.send(try EnvelopeCodec.encode(Apus_V1_Envelope(.submit(submit))))
        guard case .rejected(let second) = try peer.answer() else {
            Issue.record("max_tokens 0 is not rejected")
            return
        }
        #expect(second.request == 8)
        #expect(second.message.contains("max_tokens"))
        submit.request = 9
        submit.generation.maxTokens = 1
        submit.generation.priority = 3
        try peer.send(try EnvelopeCodec.encode(Apus_V1_Envelope(.submit(submit))))
        guard case .rejected(let third) = try peer.answer() else {
            Issue.record("an unknown priority is not rejected")
            return
        }
        #expect(third.request == 9)
        #expect(third.code == ApusError.Code.invalidRequest.rawValue)
        #expect(third.message.contains("priority"))
        try await expectHealthy()
    }

    @Test func `A step that names more blocks than a message may is a violation`() async throws {
        let peer = try RawPeer(cluster.workers)
        var step = Apus_V1_Step()
        step.progress = 1
        step.cachedBlocks = Array(repeating: 1, count: Limits.blocksPerStep)
        step.evictedBlocks = [2]
        try peer.send(try EnvelopeCodec.encode(Apus_V1_Envelope(.step(step))))
        guard case .error(let violation) = try peer.answer() else {
            Issue.record("too many blocks are not refused")
            return
        }
        #expect(violation.code == ApusError.Code.protocolViolation.rawValue)
        #expect(violation.message.contains("\(Limits.blocksPerStep)"))
        // One less is only what a worker says that nobody knows.
        step.evictedBlocks = []
        try peer.send(try EnvelopeCodec.encode(Apus_V1_Envelope(.step(step))))
        guard case .error(let unknown) = try peer.answer() else {
            Issue.record("an unknown worker's step is not answered")
            return
        }
        #expect(unknown.code == ApusError.Code.notFound.rawValue)
        try await expectHealthy()
    }

    @Test func `A worker that lies about its rows loses its attempt only`() async throws {
        let liar = try RawPeer(cluster.workers)
        var register = Apus_V1_Register()
        register.name = "liar"
        register.incarnation = 1
        register.model = "simulated"
        register.slots = 1_000
        register.fingerprint = Fingerprint(high: 0, low: 0).bytes
        try await ApusClient.withClient(ClientConfiguration(endpoint: cluster.clients, name: "test")) { client in
            // The client is connected first: a liar that is silent for half a second would be lost.
            _ = try await client.status()
            try liar.send(try EnvelopeCodec.encode(Apus_V1_Envelope(.register(register))))
            guard case .enlisted = try liar.answer() else {
                Issue.record("the registration is not answered")
                return
            }
            // With so many slots the liar is the least loaded worker and gets the stream.
            let stream = try await client.submit(
                GenerationRequest(prompt: "lie", maximumTokens: 4, sampling: SamplingParameters(seed: 1))
            )
            guard case .assign(let assign) = try liar.answer() else {
                Issue.record("nothing was assigned to the liar")
                return
            }
            var step = Apus_V1_Step()
            step.progress = 1
            step.busy = true
            step.tokens.streams = [assign.stream, 999_999]
            step.tokens.epochs = [assign.epoch, 1]
            step.tokens.firstIndexes = [2, 0]
            step.tokens.counts = [1, 1]
            step.tokens.ids = [1, 1]
            step.tokens.textLengths = [1, 1]
            step.tokens.text = Data("xy".utf8)
            let lie = try EnvelopeCodec.encode(Apus_V1_Envelope(.step(step)))
            var bye = Apus_V1_Step()
            bye.progress = 2
            try liar.send(lie)
            // The liar leaves, so that the attempt goes to the honest worker.
            try liar.send(try EnvelopeCodec.encode(Apus_V1_Envelope(.bye(Apus_V1_Bye()))))
            var indexes: [Int] = []
            for try await token in stream.tokens { indexes.append(token.index) }
            #expect(indexes == [0, 1, 2, 3])
            let status = try await client.status()
            #expect(status.malformed >= 1)
            #expect(status.stale >= 1)
        }
    }
}

/// A bare TCP connection.
enum RawTCP {
    static func send(_ bytes: [UInt8], toPort port: UInt16) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        // Invariant: the address outlives the call, which reads it as the family says.
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) }
        }
        guard status == 0 else { throw ServerProcess.Failure(description: "no connection to port \(port)") }
        // The peer may close while it is being sent to; that is not this side's concern.
        _ = Foundation.send(descriptor, bytes, bytes.count, Int32(truncatingIfNeeded: MSG_NOSIGNAL))
    }
}
