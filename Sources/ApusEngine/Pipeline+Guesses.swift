import ApusCore
import ApusModel

/// Speculation: tokens that a stream has said before are guessed and verified in one pass.
///
/// What is drawn is what would have been drawn without guesses, so that only the time changes. Guesses are made for a stream
/// that is alone in its step: beside others their rows would cost the others' time.
extension Pipeline {
    /// Guesses the next tokens of the plan's only row.
    ///
    /// - Returns: The number of guesses in `draft`; 0 where none pay.
    mutating func guess() -> Int {
        guard plan.chunk == nil, plan.rows.count == 1, let row = plan.rows.first, attempts[row.key].request.speculates
        else { return 0 }
        if attempts[row.key].drafter == nil { beginGuessing(row.key) }
        guard let match = attempts[row.key].drafter?.match() else { return 0 }
        // The last token that may come needs no guess, and a guess needs room in the context.
        let available = min(
            row.limit - row.index - 1,
            attempts[row.key].handler.remainingTokens - 1,
            description.contextTokens - row.position - 1
        )
        let count = speculation.draftTokens(
            record: attempts[row.key].guesses,
            matchLength: match.length,
            available: available
        )
        guard count > 0 else { return 0 }
        attempts[row.key].drafter?.propose(count, after: match, into: &draft)
        draftMatch = match.length
        return count
    }

    /// Runs a pass over one stream's last token and guesses of those that follow.
    mutating func runGuesses(_ count: Int, began: Timestamp, into result: inout StepResult) {
        guard let row = plan.rows.first else { return }
        pass.removeAll(kind: .drawn)
        pass.append(
            [attempts[row.key].lastToken] + draft,
            to: row.slot,
            at: row.position,
            drawing: row.index,
            drafts: count
        )
        // Where the longer pass fails, the plain one is tried.
        guard (try? engine.run(pass, into: &outcome)) != nil else { return runRows(began: began, into: &result) }
        let now = clock()
        passCompleted()
        speculation.passMeasured(width: count + 1, latency: now - began)
        forecast.decodeMeasured(rows: count + 1, time: now - began)
        result.batchSize = 1
        if let failure = outcome.failures.first { return fail(row.key, failure.error) }
        let drawn = outcome.tokens.count
        guard drawn > 0 else { return fail(row.key, ApusError(.engineFailure, "the engine drew no token")) }
        chunkTokens = 0
        chunkTime = .zero
        speculation.draftVerified(
            drafted: count,
            accepted: drawn - 1,
            matchLength: draftMatch,
            record: &attempts[row.key].guesses
        )
        counters.draftedTokens += UInt64(count)
        counters.acceptedTokens += UInt64(drawn - 1)
        attempts[row.key].meter.drafted += count
        attempts[row.key].meter.accepted += drawn - 1
        planner.advanced(key: row.key, tokens: drawn)
        let elapsed = now.nanoseconds - attempts[row.key].lastTokenCame
        // They come together: the time since the last token is shared among them.
        result.intervals.append(StepResult.Interval(duration: .nanoseconds(elapsed / Int64(drawn)), count: drawn))
        emit(outcome.tokens.indices, key: row.key, batch: 1, now: now.nanoseconds)
    }

    /// Notes the tokens that a plain pass drew, for streams that guess.
    mutating func plainTokenDrawn(_ key: Int, time: Duration) {
        guard attempts[key].drafter != nil else { return }
        speculation.passMeasured(width: 1, latency: time)
        speculation.plainTokenDrawn(record: &attempts[key].guesses)
    }

    /// Remembers everything that a stream has said so far, when it is alone for the first time.
    private mutating func beginGuessing(_ key: Int) {
        attempts[key].drafter = NgramDrafter(attempts[key].prompt + attempts[key].history + attempts[key].said)
        attempts[key].said = []
    }
}
