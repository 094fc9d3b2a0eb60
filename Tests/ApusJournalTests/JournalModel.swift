import ApusModel
import Testing

@testable import ApusJournal

/// What a journal should know, kept as plainly as can be, and random batches for it.
struct JournalModel {
    struct Stream {
        var facts: [Fact] = []
        var count = 0
        var epoch: UInt32 = 0
        var end: StreamEnd?
    }

    enum Fact: Equatable {
        case tokens(epoch: UInt32, first: Int, count: Int)
        case leased(LeaseRecord)
        case ended(StreamEnd, Timestamp)
    }

    var random: SeededGenerator
    var jobs: [UInt64: AcceptedRecord] = [:]
    var streams: [UInt64: Stream] = [:]
    var next: UInt64 = 1
    private var moment: Int64 = 1

    init(seed: UInt64) { random = SeededGenerator(state: seed) }

    private mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    /// Makes a random batch and applies it.
    mutating func batch() -> JournalBatch {
        moment += 1
        var columns = [TokenColumns()]
        for number in streams.keys.sorted() where streams[number]?.end == nil && streams[number]?.epoch ?? 0 > 0 {
            guard chance(60), let epoch = streams[number]?.epoch, let first = streams[number]?.count else { continue }
            let count = chance(10) ? Int.random(in: 20...60, using: &random) : Int.random(in: 1...4, using: &random)
            let from = max(1, epoch - (chance(30) ? 1 : 0))
            tokens(number, first..<first + count, epoch: from, into: &columns[columns.count - 1])
            append(.tokens(epoch: from, first: first, count: count), to: number)
            if chance(10) { columns.append(TokenColumns()) }
        }
        var records: [JournalRecord] = []
        if jobs.count < 12, chance(50) { records.append(accept()) }
        for number in streams.keys.sorted() where streams[number]?.end == nil {
            if streams[number]?.epoch == 0 ? chance(70) : chance(5) {
                streams[number]?.epoch += 1
                let lease = attempt(number, streams[number]?.epoch ?? 0, isHedge: chance(30))
                append(.leased(lease), to: number)
                records.append(.leased(lease))
            }
            guard chance(5) else { continue }
            let end = streamEnd(chance(30) ? .failed : .stop, tokens: streams[number]?.count ?? 0)
            streams[number]?.end = end
            append(.ended(end, Timestamp(nanoseconds: moment)), to: number)
            records.append(.ended(StreamID(rawValue: number), end, at: Timestamp(nanoseconds: moment)))
        }
        for (first, job) in jobs.sorted(by: { $0.key < $1.key })
        where job.streams.allSatisfy({ streams[$0]?.end != nil }) && chance(10) {
            jobs[first] = nil
            for stream in job.streams {
                streams[stream] = nil
                records.append(.forgotten(StreamID(rawValue: stream)))
            }
        }
        return JournalBatch(tokens: columns.filter { !$0.isEmpty }, records: records)
    }

    private mutating func accept() -> JournalRecord {
        let choices = Int.random(in: 1...3, using: &random)
        let durability: Durability = chance(60) ? .released : chance(50) ? .accepted : .none
        let accepted = acceptance(next, choices: choices, durability: durability, at: moment)
        jobs[next] = accepted
        for stream in accepted.streams { streams[stream] = Stream() }
        next += UInt64(choices)
        return .accepted(accepted)
    }

    private mutating func append(_ fact: Fact, to stream: UInt64) {
        if case .tokens(_, _, let count) = fact { streams[stream]?.count += count }
        streams[stream]?.facts.appendMerging(fact)
    }

    /// Compares all that a living journal can be asked for.
    func check(_ journal: SQLiteJournal, _ place: Comment) throws {
        for (number, stream) in streams {
            if stream.count > 0 {
                #expect(try journal.read(number, 0..<stream.count) == reading(number, 0..<stream.count), place)
                let middle = stream.count / 3..<stream.count - stream.count / 4
                if !middle.isEmpty { #expect(try journal.read(number, middle) == reading(number, middle), place) }
            }
            let ids = try journal.history(of: StreamID(rawValue: number), count: stream.count)
            #expect(ids == tokens(number, 0..<stream.count).ids, place)
        }
        for (_, accepted) in jobs {
            let found = try journal.find(.key(accepted.key))
            #expect(found?.streams.map(\.tokens) == accepted.streams.map { streams[$0]?.count }, place)
            #expect(found?.streams.map(\.end) == accepted.streams.map { streams[$0]?.end }, place)
            if found?.hasEnded == false { #expect(found?.accepted == accepted, place) }
        }
        let dead = streams.filter { $0.value.end?.reason == .failed }.keys.sorted()
        #expect(try journal.deadLetters(limit: 100).map(\.stream.rawValue).sorted() == dead, place)
    }

    /// The model after the coordinator's death: what asked for no more is gone.
    mutating func die() {
        for (first, job) in jobs where job.request.durability == .none {
            jobs[first] = nil
            for stream in job.streams { streams[stream] = nil }
        }
        for job in jobs.values where job.request.durability == .accepted {
            for stream in job.streams where streams[stream]?.end == nil {
                streams[stream]?.count = 0
                streams[stream]?.facts.removeAll { if case .tokens = $0 { true } else { false } }
            }
        }
    }

    /// Compares facts that a new life was told.
    func check(_ facts: [JournalFact], _ place: Comment) {
        var told: [AcceptedRecord] = []
        var order: [UInt64: [Fact]] = [:]
        for fact in facts {
            switch fact {
            case .record(.accepted(let accepted)): told.append(accepted)
            case .record(.leased(let lease)): order[lease.stream.rawValue, default: []].append(.leased(lease))
            case .record(.ended(let stream, let end, let moment)):
                order[stream.rawValue, default: []].append(.ended(end, moment))
            case .record(.forgotten): Issue.record("nothing forgotten is told")
            case .tokens(let columns):
                for row in 0..<columns.rows {
                    order[columns.streams[row], default: []].appendMerging(
                        .tokens(
                            epoch: columns.epochs[row],
                            first: Int(columns.firstIndexes[row]),
                            count: Int(columns.counts[row])
                        )
                    )
                }
            }
        }
        let live = jobs.values.filter { job in job.streams.contains { streams[$0]?.end == nil } }
        #expect(told == live.sorted { $0.stream < $1.stream }, place)
        for stream in live.flatMap(\.streams) {
            #expect(order[stream] ?? [] == streams[stream]?.facts, "stream \(stream), \(place)")
        }
    }
}

extension [JournalModel.Fact] {
    /// Appends a fact; tokens of the same attempt become one.
    fileprivate mutating func appendMerging(_ fact: JournalModel.Fact) {
        if case .tokens(let epoch, let next, let count) = fact,
            case .tokens(let last, let first, let before)? = last, last == epoch, first + before == next
        {
            self[self.count - 1] = .tokens(epoch: epoch, first: first, count: before + count)
        } else {
            append(fact)
        }
    }
}
