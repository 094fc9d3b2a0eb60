import ApusGrammar
import ApusModel
import Foundation

@testable import ApusEngine

/// The sampler's definition, written down plainly: whole vocabularies sorted, in Double, with the library's exp and pow.
struct ReferenceSampler {
    var request: GenerationRequest
    var prompt: [TokenID]
    var output: [TokenID]
    var endOfGeneration: [TokenID]
    var mask: TokenMask?
    var text: (TokenID) -> [UInt8]

    /// What may be drawn; `isClose` where something is decided within rounding distance.
    struct Decision {
        var tokens: Set<Int> = []
        var isClose = false
    }

    /// Decides on a row without NaN; no token at all where none is left.
    func decide(_ row: [Float], index: Int) -> Decision {
        var decision = Decision()
        let logits = adjusted(row, index: index)
        let parameters = request.sampling
        var order = logits.indices.filter { logits[$0] > -.infinity }
            .sorted { logits[$0] == logits[$1] ? $0 < $1 : logits[$0] > logits[$1] }
        guard let best = order.first else { return decision }
        func areClose(_ left: Int, _ right: Int) -> Bool {
            // Only a power may be rounded in another way.
            let (a, b) = (logits[left], logits[right])
            return parameters.dry != nil && a != b && abs(a - b) <= 1e-5 * max(1, abs(a), abs(b))
        }
        if parameters.temperature == 0 || parameters.topK == 1 {
            decision.isClose = order.count > 1 && areClose(best, order[1])
            decision.tokens = [best]
            return decision
        }
        let temperature = max(parameters.temperature, 1e-6)
        let distances = logits.map { ($0 - logits[best]) / temperature }
        let weights = distances.map { exp($0) }
        order.removeAll { distances[$0] < -32 }
        if parameters.topK > 0, parameters.topK < order.count {
            decision.isClose = areClose(order[parameters.topK - 1], order[parameters.topK])
            order = Array(order.prefix(parameters.topK))
        }
        func keep(_ share: Double, nearness: (Int, Int) -> Bool) {
            let total = order.reduce(0) { $0 + weights[$1] }
            var (mass, kept) = (0.0, 0)
            for token in order {
                mass += weights[token]
                kept += 1
                if abs(mass - share * total) < 1e-5 * total { decision.isClose = true }
                if mass >= share * total { break }
            }
            if kept < order.count, nearness(order[kept - 1], order[kept]) { decision.isClose = true }
            order = Array(order.prefix(kept))
        }
        if parameters.typicalP < 1 {
            let total = order.reduce(0) { $0 + weights[$1] }
            let entropy = order.reduce(0) { $0 - weights[$1] / total * log(weights[$1] / total) }
            let surprises = Dictionary(
                uniqueKeysWithValues: order.map { ($0, abs(-log(weights[$0] / total) - entropy)) }
            )
            func surprise(_ token: Int) -> Double { surprises[token] ?? 0 }
            order.sort { logits[$0] == logits[$1] ? $0 < $1 : surprise($0) < surprise($1) }
            keep(parameters.typicalP) { logits[$0] != logits[$1] && abs(surprise($0) - surprise($1)) < 1e-4 }
            order.sort { logits[$0] == logits[$1] ? $0 < $1 : logits[$0] > logits[$1] }
        }
        if parameters.topP < 1 { keep(parameters.topP, nearness: areClose) }
        if parameters.minP > 0, let highest = order.map({ weights[$0] }).max() {
            if order.contains(where: {
                weights[$0] < highest && abs(weights[$0] / (parameters.minP * highest) - 1) < 1e-4
            }) {
                decision.isClose = true
            }
            order.removeAll { weights[$0] < parameters.minP * highest && weights[$0] < highest }
        }
        let total = order.reduce(0) { $0 + weights[$1] }
        let target = CounterRandom.uniform(seed: parameters.seed ?? 0, index: UInt64(index)) * total
        var mass = 0.0
        for token in order.sorted() {
            let next = mass + weights[token]
            if next > target - 1e-5 * total, mass <= target + 1e-5 * total { decision.tokens.insert(token) }
            mass = next
        }
        return decision
    }

    /// The logits after bias, bans and penalties; each step gives a Float again, and leaves finite what is finite.
    func adjusted(_ row: [Float], index: Int) -> [Double] {
        let parameters = request.sampling
        let history = prompt + output
        var logits = row.map(Double.init)
        func change(_ token: Int, _ logit: Double) {
            guard logits.indices.contains(token), logits[token].isFinite else { return }
            let bound = Double(Float.greatestFiniteMagnitude)
            logits[token] = Double(Float(min(max(logit, -bound), bound)))
        }
        for entry in parameters.logitBias where logits.indices.contains(Int(entry.token.rawValue)) {
            let token = Int(entry.token.rawValue)
            change(token, logits[token] + entry.bias)
        }
        for token in logits.indices {
            let id = TokenID(rawValue: Int32(token))
            var logit = logits[token]
            if history.suffix(parameters.penaltyWindow).contains(id) {
                logit = logit > 0 ? logit / parameters.repetitionPenalty : logit * parameters.repetitionPenalty
            }
            let count = Double(output.count { $0 == id })
            if count > 0 { logit -= count * parameters.frequencyPenalty + parameters.presencePenalty }
            change(token, logit)
        }
        if let dry = parameters.dry {
            for (token, length) in repetitions(in: history, dry) where logits.indices.contains(Int(token.rawValue)) {
                let penalty = dry.multiplier * pow(dry.base, Double(length - dry.allowedLength))
                change(Int(token.rawValue), logits[Int(token.rawValue)] - penalty)
            }
        }
        for token in logits.indices {
            let id = TokenID(rawValue: Int32(token))
            let isBanned = parameters.logitBias.contains { $0.token == id && $0.bias <= -100 }
            let endsEarly = index < request.minimumTokens && endOfGeneration.contains(id)
            if isBanned || endsEarly || mask.map({ !$0[token] }) == true { logits[token] = -.infinity }
        }
        return logits
    }

    /// The longest sequence that each token would go on.
    func repetitions(in history: [TokenID], _ dry: DryParameters) -> [TokenID: Int] {
        let tokens = dry.window > 0 ? history.suffix(dry.window) : history[...]
        let breaks = tokens.map { token in
            let text = String(decoding: text(token), as: UTF8.self)
            return dry.breakers.contains { text.contains($0) }
        }
        let list = Array(tokens)
        var longest: [TokenID: Int] = [:]
        for next in list.indices.dropFirst() {
            var length = 0
            while length < next, list[next - 1 - length] == list[list.count - 1 - length],
                !breaks[list.count - 1 - length]
            {
                length += 1
            }
            if length >= max(1, dry.allowedLength), !breaks[next] {
                longest[list[next]] = max(longest[list[next]] ?? 0, length)
            }
        }
        return longest
    }
}
