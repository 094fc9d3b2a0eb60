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
        check(end.machine.durableStreams, "the running coordinator", against: end.journal, at: now)
    }

    /// Compares what a machine knows with what the journal says, told once and told with a prefix twice.
    mutating func check(
        _ present: [DurableStream],
        _ what: StaticString,
        against journal: [SimulatedBatch],
        at now: Timestamp
    ) {
        let length = Int(Truth.mix(seed ^ UInt64(journal.count)) % UInt64(journal.count + 1))
        let twice = replay([journal[..<length], journal[...]], at: now)
        // Where both are equal, telling it once would show nothing new.
        guard twice != present else { return }
        let once = replay([journal[...]], at: now)
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

    private func replay(_ parts: [ArraySlice<SimulatedBatch>], at now: Timestamp) -> [DurableStream] {
        var machine = CoordinatorMachine(settings: settings)
        for part in parts {
            // By place, which copies nothing.
            for batch in part.indices {
                for place in part[batch].tokens.indices { machine.replayed(part[batch].tokens[place]) }
                for place in part[batch].records.indices { machine.replayed(part[batch].records[place]) }
            }
        }
        machine.recovered(at: now)
        return machine.durableStreams
    }
}
