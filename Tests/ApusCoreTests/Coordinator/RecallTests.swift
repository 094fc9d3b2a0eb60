import ApusCore
import ApusModel
import Testing

/// Jobs that ended, left the memory and are asked for again, and the end of their retention.
@Suite struct RecallTests {
    private static let other = ClientPeer(rawValue: 2)
    private static let request = GenerationRequest(prompt: "p", maximumTokens: 100)

    /// A job of three tokens that ended a second ago and was taken out of memory, with its acceptance and its end.
    private func ended(
        _ durability: Durability = .released,
        recalls: Bool = true,
        following: Bool = false
    ) -> (bench: MachineBench, accepted: AcceptedRecord, end: StreamEnd) {
        var bench = MachineBench { settings in
            settings.recallsEnded = recalls
            settings.retention = .milliseconds(500)
        }
        bench.register(10)
        var request = Self.request
        request.durability = durability
        bench.submit("k", request: request)
        let accepted = bench.turn.acceptances[0]
        bench.step(10, 1, 0..<3)
        let end = bench.step(10, 1, 3..<3, end: .stop).ends[0]
        if following {
            bench.tell { machine, _, _ in _ = machine.clientJoined(Self.other, name: "other") }
            bench.attach(by: Self.other, job: accepted.job, from: 0, credit: 1)
        }
        bench.pass(.seconds(1))
        return (bench, accepted, end)
    }

    private func recalled(_ accepted: AcceptedRecord, _ end: StreamEnd, ownsKey: Bool, in bench: inout MachineBench) {
        bench.tell { machine, now, _ in
            machine.recalled(accepted, [EndedStream(tokens: 3, end: end)], ownsKey: ownsKey, at: now)
        }
    }

    @Test func `An ended job leaves the memory and is not forgotten`() {
        let (bench, accepted, _) = ended()
        #expect(!bench.machine.knows(accepted.job))
        #expect(!bench.machine.knows(key: "k"))
        #expect(bench.machine.streamCount == 0)
        #expect(bench.turn.records.isEmpty)
    }

    @Test func `A job that somebody still reads stays for another while`() {
        var (bench, accepted, _) = ended(following: true)
        #expect(bench.machine.knows(accepted.job))
        bench.tell { machine, _, turn in machine.clientLost(Self.other, into: &turn) }
        bench.pass(.seconds(1))
        #expect(!bench.machine.knows(accepted.job))
    }

    @Test func `A job that no journal keeps is forgotten with its time in memory`() {
        for (durability, recalls) in [(Durability.none, true), (.released, false)] {
            var bench = MachineBench { settings in
                settings.recallsEnded = recalls
                // What a journal finds again may leave the memory much sooner than what it doesn't have.
                settings.retention = recalls ? .zero : .milliseconds(500)
                settings.volatileRetention = .milliseconds(500)
            }
            bench.register(10)
            var request = Self.request
            request.durability = durability
            bench.submit("k", request: request)
            bench.step(10, 1, 0..<3, end: .stop)
            var records: [JournalRecord] = []
            for look in 0..<40 {
                bench.pass(.milliseconds(25))
                records += bench.turn.records
                if look < 18 { #expect(bench.machine.knows(key: "k")) }
            }
            #expect(records == [.forgotten(StreamID(rawValue: 1))])
            #expect(bench.machine.streamCount == 0)
        }
    }

    @Test func `The same request under the same key is the same job, however durable it is`() {
        var (bench, accepted, end) = ended(.accepted)
        recalled(accepted, end, ownsKey: true, in: &bench)
        #expect(bench.submit("k", number: 7).job == accepted.job)
    }

    @Test func `A stream whose tokens are damaged for good ends with the reason`() {
        var bench = MachineBench()
        bench.register(10)
        bench.submit("k", request: Self.request)
        bench.step(10, 1, 0..<3)
        let damage = ApusError(.internalFailure, "chunk 7 is damaged")
        bench.tell { machine, now, turn in
            machine.historyLost(StreamID(rawValue: 1), damage, at: now, into: &turn)
        }
        guard case .ended(_, let end, _)? = bench.turn.records.last else {
            Issue.record("the stream did not end")
            return
        }
        #expect(end.reason == .failed)
        #expect(end.error == damage)
    }

    @Test func `A repeated submit is answered with the recalled job, its tokens and its end`() {
        var (bench, accepted, end) = ended()
        recalled(accepted, end, ownsKey: true, in: &bench)
        let effects = bench.submit("k", number: 7)
        #expect(effects.job == accepted.job)
        #expect(effects.replays == [0..<3])
        #expect(effects.ends == [end])
        #expect(bench.turn.records.isEmpty)
        #expect(
            bench.submit("k", request: GenerationRequest(prompt: "q", maximumTokens: 100)).rejections == [.keyConflict]
        )
    }

    @Test func `A recalled job is compared by its digest where its prompt is gone`() {
        var (bench, accepted, end) = ended()
        let digest = Self.request.bulkDigest
        var stripped = accepted
        stripped.request.removeBulk()
        bench.tell { machine, now, _ in
            let streams = [EndedStream(tokens: 3, end: end)]
            machine.recalled(stripped, streams, bulkDigest: digest, ownsKey: true, at: now)
        }
        #expect(bench.submit("k").job == accepted.job)
        #expect(
            bench.submit("k", request: GenerationRequest(prompt: "q", maximumTokens: 100)).rejections == [.keyConflict]
        )
    }

    @Test func `A job that is recalled by its name leaves its key to another one`() {
        var (bench, accepted, end) = ended()
        recalled(accepted, end, ownsKey: false, in: &bench)
        #expect(bench.attach(job: accepted.job, from: 1, credit: 9).replays == [1..<3])
        #expect(!bench.machine.knows(key: "k"))
        let new = bench.submit("k").job
        #expect(new != nil && new != accepted.job)
        recalled(accepted, end, ownsKey: false, in: &bench)
        #expect(bench.submit("k", number: 8).job == new)
    }

    @Test func `A recalled job leaves the memory again`() {
        var (bench, accepted, end) = ended()
        recalled(accepted, end, ownsKey: true, in: &bench)
        recalled(accepted, end, ownsKey: true, in: &bench)
        #expect(bench.machine.streamCount == 1)
        bench.pass(.seconds(1))
        #expect(bench.machine.streamCount == 0)
        #expect(!bench.machine.knows(key: "k"))
    }

    // MARK: - Retention

    @Test func `The end of retention forgets streams that are not in memory`() {
        var (bench, _, _) = ended()
        bench.tell { machine, _, turn in machine.retentionEnded([StreamID(rawValue: 1)], into: &turn) }
        #expect(bench.turn.records == [.forgotten(StreamID(rawValue: 1))])
    }

    @Test func `The end of retention is told to those who still read`() {
        var (bench, accepted, _) = ended(following: true)
        let effects = bench.tell { machine, _, turn in
            machine.retentionEnded([StreamID(rawValue: 1)], into: &turn)
        }
        #expect(effects.ends.map(\.error?.code) == [.notFound])
        #expect(bench.turn.records == [.forgotten(StreamID(rawValue: 1))])
        #expect(!bench.machine.knows(accepted.job))
    }

    @Test func `Each stream of a job is forgotten once`() {
        var bench = MachineBench { $0.recallsEnded = true }
        bench.register(10)
        var request = Self.request
        request.choices = 2
        bench.submit("k", request: request)
        bench.step(10, 1, 0..<1, end: .stop)
        bench.step(10, 2, 0..<1, end: .stop)
        let streams = [1, 2, 3].map { StreamID(rawValue: $0) }
        bench.tell { machine, _, turn in machine.retentionEnded(streams, into: &turn) }
        #expect(bench.turn.records == streams.map { .forgotten($0) })
    }

    @Test func `A full journal takes only jobs that need none`() {
        var bench = MachineBench()
        bench.register(10)
        bench.tell { machine, _, _ in machine.journalFilled(true) }
        let effects = bench.submit("k")
        #expect(effects.rejections == [.overloaded])
        var request = Self.request
        request.durability = .none
        #expect(bench.submit("l", request: request).job != nil)
        bench.tell { machine, _, _ in machine.journalFilled(false) }
        #expect(bench.submit("k").job != nil)
    }
}

extension Turn {
    /// The acceptances that are to be journaled.
    var acceptances: [AcceptedRecord] {
        records.compactMap { record in if case .accepted(let accepted) = record { accepted } else { nil } }
    }
}

extension MachineBench {
    /// A client follows a job's first stream.
    @discardableResult
    mutating func attach(
        by client: ClientPeer = Self.client,
        number: UInt64 = 9,
        job: JobID,
        from index: Int,
        credit: Int
    ) -> [Effect] {
        tell { machine, _, turn in
            machine.attached(by: client, number: number, job: job, key: "", from: index, credit: credit, into: &turn)
        }
    }
}
