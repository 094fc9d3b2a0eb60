import ApusCore
import ApusModel

/// The journal rebuilds every promise, and telling any prefix of it twice changes nothing.
///
/// Every recovery is looked at, and the end of one world in four, which the seed draws: telling a whole journal again costs
/// as much as several other checkers do over a world's life.
struct ReplayChecker: Checker {
    static let name = "replay of the journal is idempotent"

    /// The journal is told again at the end of one world in so many.
    static let worldsPerCheck: UInt64 = 4

    var violation: Violation?

    private let settings: CoordinatorSettings
    private let seed: UInt64

    init(configuration: WorldConfiguration) {
        settings = configuration.settings
        seed = configuration.seed
    }

    mutating func coordinatorRecovered(
        _ machine: borrowing CoordinatorMachine,
        from journal: [SimulatedBatch],
        at now: Timestamp
    ) {
        check(machine.durableStreams, "the recovered coordinator", against: journal, at: now)
    }

    mutating func worldEnded(_ end: borrowing WorldEnd, at now: Timestamp) {
        guard !end.isLate, Truth.mix(seed) % Self.worldsPerCheck == 0 else { return }
        check(end.machine.durableStreams, "the running coordinator", against: end.journal, at: now, isRunning: true)
    }

    /// Compares what a machine knows with what the journal says, told once and told with a prefix twice.
    mutating func check(
        _ present: [DurableStream],
        _ what: StaticString,
        against journal: [SimulatedBatch],
        at now: Timestamp,
        isRunning: Bool = false
    ) {
        // A running one has dropped some of what ended, and found some of it again.
        let present = isRunning && settings.recallsEnded ? present.map(Self.withoutDeadline) : present
        let kept = isRunning && settings.recallsEnded ? Set(present.map(\.stream)) : nil
        let length = Int(Truth.mix(seed ^ UInt64(journal.count)) % UInt64(journal.count + 1))
        let twice = replay([journal[..<length], journal[...]], keeping: kept, at: now)
        // Where both are equal, telling it once would show nothing new.
        guard twice != present else { return }
        let once = replay([journal[...]], keeping: kept, at: now)
        if let difference = Self.difference(once, present) {
            broken(at: now, "the journal and \(what) differ: \(difference)")
        }
        if let difference = Self.difference(once, twice) {
            broken(
                at: now,
                "the first \(length) of \(journal.count) batches told twice make a difference: \(difference)"
            )
        }
    }

    /// The first stream in which two machines differ, with what each knows of it.
    static func difference(_ left: [DurableStream], _ right: [DurableStream]) -> String? {
        guard left != right else { return nil }
        for (left, right) in zip(left, right) where left != right { return "\(left) and \(right)" }
        return "\(left.count) streams and \(right.count)"
    }

    /// What is known of a stream that ended, whose deadline has no meaning any more.
    private static func withoutDeadline(_ stream: DurableStream) -> DurableStream {
        guard stream.end != nil else { return stream }
        return DurableStream(
            stream: stream.stream,
            job: stream.job,
            key: stream.key,
            seed: stream.seed,
            maximumTokens: stream.maximumTokens,
            deadline: .zero,
            next: stream.next,
            epoch: stream.epoch,
            end: stream.end
        )
    }

    private func replay(
        _ parts: [ArraySlice<SimulatedBatch>],
        keeping kept: Set<StreamID>?,
        at now: Timestamp
    ) -> [DurableStream] {
        var machine = CoordinatorMachine(settings: settings)
        for part in parts {
            // By place, which copies nothing.
            for batch in part.indices {
                for place in part[batch].tokens.indices { machine.replayed(part[batch].tokens[place]) }
                for place in part[batch].records.indices { machine.replayed(part[batch].records[place]) }
            }
        }
        machine.recovered(at: now)
        guard let kept else { return machine.durableStreams }
        return machine.durableStreams.filter { kept.contains($0.stream) }.map(Self.withoutDeadline)
    }
}
