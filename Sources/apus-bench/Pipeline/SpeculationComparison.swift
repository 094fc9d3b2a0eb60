import ApusClient
import ApusModel

/// Groups of streams that run with speculation and without, in turns.
struct SpeculationComparison {
    /// The texts of the first round.
    private(set) var texts: [String] = []

    /// The groups' names; none where there is one group.
    private let names: [String]

    private var ratios: [Double] = []
    private var groupRatios: [[Double]]
    private var (with, without): ([Double], [Double]) = ([], [])
    private var drafted = 0
    private var accepted = 0
    private var tokens = 0
    private var different = 0

    /// A comparison of groups that have these names, or of a single one.
    init(names: [String]) {
        self.names = names
        groupRatios = Array(repeating: [], count: max(1, names.count))
    }

    /// Runs the groups one after the other, each with and without speculation, several times.
    mutating func run(_ groups: [[GenerationRequest]], rounds: Int, on client: ApusClient) async throws {
        // Both ways find the beginnings of their prompts computed.
        for group in groups { _ = try await StreamRecorder.run(group, on: client) }
        for round in 0..<rounds {
            var seconds = (with: 0.0, without: 0.0)
            var count = 0
            for (place, group) in groups.enumerated() {
                // Who goes first takes turns as well.
                let isFirst = (round + place).isMultiple(of: 2)
                let first = try await StreamRecorder.run(group.map { $0.speculating(isFirst) }, on: client)
                let second = try await StreamRecorder.run(group.map { $0.speculating(!isFirst) }, on: client)
                let (guessed, plain) = isFirst ? (first, second) : (second, first)
                let (fast, slow) = (Self.seconds(guessed), Self.seconds(plain))
                seconds.with += fast
                seconds.without += slow
                groupRatios[place].append(slow / fast)
                count += guessed.reduce(0) { $0 + $1.ids.count }
                for (one, other) in zip(guessed, plain) where one.ids != other.ids || one.utf8 != other.utf8 {
                    different += 1
                }
                for record in guessed {
                    drafted += record.end?.summary?.draftedTokens ?? 0
                    accepted += record.end?.summary?.acceptedTokens ?? 0
                }
                if round == 0 { texts += guessed.map(\.text) }
            }
            ratios.append(seconds.without / seconds.with)
            with.append(Double(count) / seconds.with)
            without.append(Double(count) / seconds.without)
            tokens += count
        }
    }

    /// Adds the speeds and their ratio to the figures.
    func report(_ name: String, goal: Goal, into figures: inout Figures) {
        figures.add("\(name): with / without speculation", Figures.median(ratios), "x", goal: goal)
        for (group, ratios) in zip(names, groupRatios) {
            figures.add("\(name), \(group): with / without", Figures.median(ratios), "x")
        }
        figures.add("\(name): with", Figures.median(with), "tokens/s")
        figures.add("\(name): without", Figures.median(without), "tokens/s")
        figures.add("\(name): tokens", Double(tokens), "tokens")
        figures.add("\(name): drafted", Double(drafted), "tokens")
        figures.add("\(name): accepted", Double(accepted), "tokens")
        figures.add("\(name): streams whose tokens changed", Double(different), "streams", goal: .exactly(0))
        if different > 0 { figures.failures.append("\(name): speculation changed the tokens of \(different) streams") }
    }

    /// From the first token of any stream to the last.
    private static func seconds(_ records: [StreamRecord]) -> Double {
        guard let begin = records.compactMap(\.arrivals.first).min(),
            let end = records.compactMap(\.arrivals.last).max()
        else { return .nan }
        return begin.duration(to: end).seconds
    }
}

extension GenerationRequest {
    /// The same request, with or without guessing ahead.
    func speculating(_ speculates: Bool) -> GenerationRequest {
        var request = self
        request.speculates = speculates
        return request
    }
}
