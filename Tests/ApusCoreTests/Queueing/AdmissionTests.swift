import ApusModel
import Testing

@testable import ApusCore

@Suite("Admission")
struct AdmissionTests {
    private static func admission(work: Int = 1_000, streams: Int = 100) -> Admission {
        var limits = AdmissionLimits()
        limits.work = work
        limits.streams = streams
        return Admission(limits: limits)
    }

    private static func key(_ client: UInt64) -> ClientKey { ClientKey(rawValue: client) }

    @Test("A lone client gets half of the work, and there is room for the next one")
    func loneClient() {
        var admission = Self.admission()
        #expect(admission.refusal(for: Self.key(1), work: 501)?.code == .overloaded)
        #expect(admission.refusal(for: Self.key(1), work: 500) == nil)
        admission.inserted(.sample(1, client: 1, work: 500))
        #expect(admission.refusal(for: Self.key(1), work: 1)?.message.contains("share") == true)
        #expect(admission.refusal(for: Self.key(2), work: 250) == nil)
        #expect(admission.refusal(for: Self.key(2), work: 251)?.code == .overloaded)
        #expect(admission.refusal(for: Self.key(2), work: 501)?.message.contains("full") == true)
    }

    @Test("A lone client gets half of the streams, however small they are")
    func smallStreams() {
        var admission = Self.admission()
        for stream in 1...50 {
            #expect(admission.refusal(for: Self.key(1), work: 1) == nil)
            admission.inserted(.sample(UInt64(stream), client: 1, work: 1))
        }
        #expect(admission.refusal(for: Self.key(1), work: 1)?.code == .overloaded)
        #expect(admission.refusal(for: Self.key(2), work: 1, streams: 25) == nil)
        #expect(admission.refusal(for: Self.key(2), work: 1, streams: 26)?.code == .overloaded)
    }

    @Test("Clients that push as much as they can end with equal shares and room for one more", arguments: 1...9)
    func equalShares(clients: Int) {
        var admission = Self.admission(work: 100_000, streams: 1_000_000)
        var stream: UInt64 = 0
        var isPushing = true
        while isPushing {
            isPushing = false
            for client in 1...UInt64(clients) where admission.refusal(for: Self.key(client), work: 1) == nil {
                stream += 1
                admission.inserted(.sample(stream, client: client, work: 1))
                isPushing = true
            }
        }
        for client in 1...UInt64(clients) {
            #expect(abs(admission.work(of: Self.key(client)) - 100_000 / (clients + 1)) <= clients)
        }
    }

    @Test("Sums are those of the streams that wait, for any history", arguments: UInt64(1)...20)
    func conservation(seed: UInt64) {
        var random = QueueRandom(seed: seed)
        var admission = Self.admission(work: 5_000, streams: 60)
        var waiting: [WaitingStream] = []
        for step in 0..<1_000 {
            let client = UInt64.random(in: 1...5, using: &random)
            let stream = WaitingStream.sample(
                UInt64(step),
                client: client,
                work: .random(in: 0...300, using: &random),
                isFailover: Int.random(in: 0..<10, using: &random) == 0
            )
            let refusal = admission.refusal(for: stream.client, work: stream.work)
            if stream.isFailover || refusal == nil {
                admission.inserted(stream)
                waiting.append(stream)
            }
            if !waiting.isEmpty, Int.random(in: 0..<5, using: &random) < 2 {
                admission.removed(waiting.remove(at: .random(in: waiting.indices, using: &random)))
            }
            #expect(admission.work == waiting.reduce(0) { $0 + $1.work })
            #expect(admission.streams == waiting.count)
            let own = waiting.filter { $0.client == stream.client }
            #expect(admission.work(of: stream.client) == own.reduce(0) { $0 + $1.work })
            #expect(admission.streams(of: stream.client) == own.count)
            #expect(admission.clientCount == Set(waiting.map(\.client)).count)
        }
        for stream in waiting { admission.removed(stream) }
        #expect(admission.work == 0)
        #expect(admission.clientCount == 0)
    }

    @Test("A refused client is told how long the queue takes at the measured rate, between 100 ms and 10 s")
    func retryAfter() {
        var admission = Self.admission(work: 1_000_000)
        #expect(admission.refusal(for: Self.key(1), work: 2_000_000)?.retryAfter == .seconds(1))
        for second in 0...20 {
            admission.served(tokens: 1_000, at: Timestamp(nanoseconds: Int64(second) * 1_000_000_000))
        }
        #expect(admission.refusal(for: Self.key(1), work: 2_000_000)?.retryAfter == .milliseconds(100))
        admission.inserted(.sample(1, work: 7_500))
        #expect(admission.refusal(for: Self.key(1), work: 2_000_000)?.retryAfter == .milliseconds(7_500))
        admission.inserted(.sample(2, work: 90_000))
        #expect(admission.refusal(for: Self.key(1), work: 2_000_000)?.retryAfter == .seconds(10))
    }

    @Test("The rate follows the load in windows of a second and leaves out pauses")
    func rate() {
        var rate = ServiceRate()
        #expect(rate.duration(of: 100) == nil)
        for step in 0...500 { rate.served(tokens: 10, at: Timestamp(nanoseconds: Int64(step) * 10_000_000)) }
        #expect(rate.tokensPerSecond == 1_000)
        rate.served(tokens: 10, at: Timestamp(nanoseconds: 900_000_000_000))
        #expect(rate.tokensPerSecond == 1_000)
        for step in 0...5_000 {
            rate.served(tokens: 40, at: Timestamp(nanoseconds: 900_000_000_000 + Int64(step) * 10_000_000))
        }
        #expect((3_990...4_000).contains(rate.tokensPerSecond ?? 0))
    }
}
