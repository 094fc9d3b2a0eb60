import ApusCore
import ApusModel

extension Pipeline {
    mutating func admit(_ assignment: Assignment, prompt: [TokenID], arrived: Timestamp) {
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
            engine.appendText(of: token, showingSpecials: assignment.request.showsSpecialTokens, to: &text)
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
            unacknowledged: ResendBuffer(firstIndex: assignment.history.count),
            limit: max(min(assignment.limit, Self.highestLimit), assignment.history.count),
            isGuessable: !description.draftWidths.isEmpty && assignment.request.speculates,
            arrived: arrived.nanoseconds,
            tokenizeTime: clock() - arrived
        )
        attempts[key].meter.peakMemoryBytes = memoryBytes
        if assignment.request.transferTokens > 1 {
            attempts[key].pacer = TransferPacer(
                group: assignment.request.transferTokens,
                nextIndex: assignment.history.count
            )
        }
        running += 1
        if assignment.request.interTokenTarget != nil { wishes += 1 }
        planner.arrive(
            key: key,
            promptTokens: prompt.count,
            historyTokens: assignment.history.count,
            limit: assignment.limit
        )
        // Every token was released before the last worker died; only the end is missing.
        if let reason { finish(key, reason) }
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

    /// Ends an attempt that can't go on; the end says at which token.
    mutating func fail(_ key: Int, _ error: ApusError) {
        attempts[key].meter.errors += 1
        counters.errors += 1
        finish(key, .failed, error: error)
    }

    /// Ends an attempt and gives its slot back; it stays present until its end is acknowledged.
    ///
    /// The end goes out with the step's result, or later where tokens before it still wait for credit.
    mutating func finish(_ key: Int, _ reason: FinishReason, error: ApusError? = nil) {
        let end = AttemptEnd(
            stream: attempts[key].stream,
            epoch: attempts[key].epoch,
            reason: reason,
            error: error,
            promptTokens: attempts[key].promptTokens,
            endIndex: attempts[key].unacknowledged.endIndex,
            summary: attempts[key].meter.summary
        )
        keepBeginning(key)
        leave(key)
        attempts[key].pacer?.streamEnded()
        attempts[key].drafter = nil
        attempts[key].said = []
        attempts[key].end = end
        attempts[key].prompt = []
        attempts[key].history = []
        if attempts[key].isGranted { pendingEnds.append(end) }
    }

    /// Ends an attempt without a word: an end that has not gone out does not go out any more.
    mutating func silence(_ key: Int) {
        let stream = attempts[key].stream
        let epoch = attempts[key].epoch
        pendingEnds.removeAll { $0.stream == stream && $0.epoch == epoch }
        forget(key)
    }

    mutating func forget(_ key: Int) {
        if attempts[key].end == nil {
            keepBeginning(key)
            leave(key)
        }
        keys[attempts[key].stream] = nil
        attempts[key] = .vacant
        vacantKeys.append(key)
    }

    private mutating func leave(_ key: Int) {
        running -= 1
        if attempts[key].request.interTokenTarget != nil { wishes -= 1 }
        // The key may soon be another stream's.
        seatedKeys.removeAll { $0 == key }
        heldKeys.removeAll { $0 == key }
        if let slot = planner.leave(key: key) { engine.vacate(slot: slot) }
    }
}
