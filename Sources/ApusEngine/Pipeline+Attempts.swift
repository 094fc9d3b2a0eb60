import ApusCore
import ApusModel

extension Pipeline {
    mutating func admit(_ assignment: Assignment, prompt: [TokenID]) {
        guard prompt.count < description.contextTokens else {
            let message = "the prompt has \(prompt.count) tokens; the context takes \(description.contextTokens)"
            return refuse(assignment, error: ApusError(.promptTooLong, message), promptTokens: prompt.count)
        }
        var handler = ResponseHandler(
            request: assignment.request,
            maximumTokens: min(assignment.request.maximumTokens, description.contextTokens - prompt.count)
        )
        var reason: FinishReason?
        var text: [UInt8] = []
        for token in assignment.history where reason == nil {
            text.removeAll(keepingCapacity: true)
            engine.appendText(of: token, to: &text)
            reason = handler.accept(endsGeneration: engine.endsGeneration(token), text: &text, from: 0)
        }
        let key = vacantKeys.popLast() ?? attempts.count
        if key == attempts.count { attempts.append(.vacant) }
        keys[assignment.stream] = key
        attempts[key] = Attempt(
            isPresent: true,
            stream: assignment.stream,
            epoch: assignment.epoch,
            request: assignment.request,
            prompt: prompt,
            history: assignment.history,
            promptTokens: prompt.count,
            handler: handler,
            unacknowledged: ResendBuffer(firstIndex: assignment.history.count)
        )
        running += 1
        planner.arrive(
            key: key,
            promptTokens: prompt.count,
            historyTokens: assignment.history.count,
            limit: assignment.limit
        )
        // Every token was released before the last worker died; only the end is missing.
        if let reason {
            var ends: [AttemptEnd] = []
            finish(key, reason, into: &ends)
            pendingEnds += ends
        }
    }

    mutating func refuse(_ assignment: Assignment, error: ApusError, promptTokens: Int = 0) {
        refuse(
            stream: assignment.stream,
            epoch: assignment.epoch,
            next: assignment.history.count,
            error: error,
            promptTokens: promptTokens
        )
    }

    mutating func fail(_ key: Int, _ error: any Error, into result: inout StepResult) {
        let failure = error as? ApusError ?? ApusError(.engineFailure, "\(error)")
        finish(key, .failed, error: failure, into: &result.ends)
    }

    /// Ends an attempt and gives its slot back; it stays present until its end is acknowledged.
    mutating func finish(
        _ key: Int,
        _ reason: FinishReason,
        error: ApusError? = nil,
        into ends: inout [AttemptEnd]
    ) {
        let end = AttemptEnd(
            stream: attempts[key].stream,
            epoch: attempts[key].epoch,
            reason: reason,
            error: error,
            promptTokens: attempts[key].promptTokens,
            endIndex: attempts[key].unacknowledged.endIndex
        )
        if let slot = planner.leave(key: key) { engine.vacate(slot: slot) }
        running -= 1
        attempts[key].end = end
        attempts[key].prompt = []
        attempts[key].history = []
        ends.append(end)
    }

    mutating func forget(_ key: Int) {
        if attempts[key].end == nil {
            if let slot = planner.leave(key: key) { engine.vacate(slot: slot) }
            running -= 1
        }
        keys[attempts[key].stream] = nil
        attempts[key] = .vacant
        vacantKeys.append(key)
    }
}
