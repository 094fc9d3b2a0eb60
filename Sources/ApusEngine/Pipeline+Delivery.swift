import ApusCore
public import ApusModel

extension Pipeline {
    /// Takes the tokens of the steps since the last call, a row a stream, as far as their consumers' credit goes.
    ///
    /// Tokens of attempts that were revoked meanwhile are not among them.
    ///
    /// Tokens whose client wants them in groups wait for their group, but not for long.
    ///
    /// - Parameter columns: Receives the rows, behind what it holds.
    public mutating func takeTokens(into columns: inout TokenColumns) {
        deliveryDue = nil
        var waiting: [Int] = []
        for key in untaken {
            if let due = attempts[key].pacer?.due {
                guard due <= clock() else {
                    deliveryDue = min(deliveryDue ?? due, due)
                    waiting.append(key)
                    continue
                }
                attempts[key].pacer?.handedOver()
            }
            attempts[key].unacknowledged.take(
                before: attempts[key].limit,
                stream: attempts[key].stream,
                epoch: attempts[key].epoch,
                into: &columns
            )
        }
        untaken.removeAll(keepingCapacity: true)
        untaken.append(contentsOf: waiting)
        untakenTokens = 0
    }

    /// Takes every token and end that is not acknowledged, stream by stream, whether they have been taken before or not.
    public mutating func unacknowledged() -> StepResult {
        var result = StepResult()
        untaken.removeAll(keepingCapacity: true)
        for held in held {
            guard let key = keys[held.stream] else { continue }
            attempts[key].unacknowledged.rewind()
            attempts[key].pacer?.handedOver()
            untaken.append(key)
            if let end = attempts[key].end, attempts[key].isGranted { result.ends.append(end) }
        }
        // Those of refused attempts stay; the others are among the ends above.
        pendingEnds.removeAll { end in keys[end.stream].map { attempts[$0].epoch } == end.epoch }
        takeTokens(into: &result.tokens)
        return result
    }

    /// Raises an attempt's limit: what was computed ahead may go out, and its end behind it.
    mutating func grant(_ key: Int, limit: Int) {
        let limit = min(limit, Self.highestLimit)
        let before = attempts[key].limit
        guard limit > before else { return }
        let end = attempts[key].unacknowledged.endIndex
        // One that has ended waits for no credit, unless tokens of it do.
        if attempts[key].end == nil || end > before {
            lookahead.creditCame(from: before, to: limit, computed: end, allowance: lookaheadAllowance)
            counters.grantedAhead = lookahead.hits
            counters.granted = lookahead.hits + lookahead.misses
        }
        attempts[key].limit = limit
        if end > before {
            untaken.append(key)
            untakenTokens += min(end, limit) - before
            if let held = attempts[key].end, attempts[key].isGranted { pendingEnds.append(held) }
        }
        if attempts[key].end == nil { planner.grant(key: key, limit: limit) }
    }
}
