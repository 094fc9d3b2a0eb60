import ApusModel
import ApusProtocol

/// What the coordinator says.
extension ClientMachine {
    /// A message other than tokens came.
    mutating func received(_ body: Apus_V1_Envelope.OneOf_Body?, now: Timestamp) -> [Effect] {
        switch body {
        case .accepted(let message): accepted(message, now: now)
        case .rejected(let message):
            refused(message.request, rejection(message.code, message.message, message.retryAfterMs), now: now)
        case .error(let message):
            refused(message.request, rejection(message.code, message.message, message.retryAfterMs), now: now)
        case .finished(let message): finished(message, now: now)
        case .status(let message): answered(message.request, .status(ClusterStatus(message)))
        case .jobs(let message): answered(message.request, .jobs(message.jobs.map { JobSummary($0) }))
        case .done(let message): answered(message.request, .done(JobID(message.job)))
        case .welcome: greeted()
        case .ping: []
        default: unexpected()
        }
    }

    /// A frame came that is not a message of this protocol.
    ///
    /// Another version of the protocol fails everything that waits, for nothing will ever be understood; any other bytes are
    /// counted and dropped.
    mutating func undecodable(_ error: ApusError) -> [Effect] {
        malformed += 1
        guard error.code == .versionMismatch else { return [] }
        return failAll(error)
    }

    private mutating func greeted() -> [Effect] {
        welcomed()
        return []
    }

    private mutating func unexpected() -> [Effect] {
        malformed += 1
        return []
    }

    private func rejection(_ code: String, _ message: String, _ retryAfter: UInt64) -> ApusError {
        ApusError(wireCode: code, message, retryAfterMilliseconds: retryAfter)
    }

    private mutating func failAll(_ error: ApusError) -> [Effect] {
        var effects: [Effect] = []
        for slot in streams.indices { effects += fail(slot: slot, error) }
        for request in calls.keys.sorted() { effects += refuse(request, error) }
        return effects + closeIfDone()
    }

    private mutating func refuse(_ request: UInt64, _ error: ApusError) -> [Effect] {
        calls.removeValue(forKey: request)?.caller.map { [.refuse($0, error)] } ?? []
    }

    private mutating func answered(_ request: UInt64, _ reply: ClientReply) -> [Effect] {
        guard let call = calls.removeValue(forKey: request) else { return [] }
        return (call.caller.map { [.answer($0, reply)] } ?? []) + closeIfDone()
    }

    private mutating func refused(_ request: UInt64, _ error: ApusError, now: Timestamp) -> [Effect] {
        if let slot = slotOfRequest[request], let stream = streams[slot] {
            if stream.asked == .nothing { return [] }
            // A coordinator that can't serve the stream now still has it.
            if stream.asked == .reattach, error.isRetriable, let wait = error.retryAfter {
                askAgain(slot: slot, at: now + wait)
                return []
            }
            let reason = stream.isAccepted ? lost(stream, next: flows[slot].next, error) : error
            return fail(slot: slot, reason) + closeIfDone()
        }
        if request != 0 { return refuse(request, error) + closeIfDone() }
        // Without a request's number an error concerns the whole connection.
        switch error.code {
        case .versionMismatch: return failAll(error)
        case .notFound: return forgotten(now: now)
        default: return []
        }
    }

    private func lost(_ stream: FollowedStream, next: UInt64, _ error: ApusError) -> ApusError {
        guard error.code == .notFound, let job = stream.job else { return error }
        return ApusError(
            .notFound,
            "the coordinator no longer knows job \(job), of which \(next) tokens had come: "
                + "it restarted without a durable journal, or the job's retention has ended"
        )
    }

    private mutating func accepted(_ message: Apus_V1_Accepted, now: Timestamp) -> [Effect] {
        guard let slot = slotOfRequest[message.request], let stream = streams[slot] else {
            // Its consumer went before the answer came.
            return flows.slot(of: message.stream) == nil ? [Self.detach([message.stream])] : []
        }
        guard let job = JobID(message.job), stream.job == nil || stream.job == job else {
            malformed += 1
            let message = "the coordinator accepted a job without a valid name"
            return fail(slot: slot, ApusError(.protocolViolation, message))
        }
        switch stream.asked {
        case .nothing, .sharedSubmit:
            return []
        case .submit(let key, _):
            return accepted(message, group: group(of: stream), key: key, job: job, now: now)
        case .attach, .reattach:
            if let other = flows.slot(of: message.stream), other != slot {
                return fail(slot: slot, Self.followedAlready(job))
            }
            return opened(slot: slot, message, job: job, number: message.stream, seed: message.seed)
        }
    }

    /// A submit is accepted: every stream of the job has a number now.
    private mutating func accepted(
        _ message: Apus_V1_Accepted,
        group: [Int],
        key: String,
        job: JobID,
        now: Timestamp
    ) -> [Effect] {
        let numbers = group.indices.map { message.stream &+ UInt64($0) }
        guard max(1, message.choices) == group.count else {
            malformed += 1
            let made = max(1, message.choices)
            let text = "the job has \(group.count) choices, for which the coordinator made \(made) of as many streams"
            let strangers = numbers.filter { flows.slot(of: $0) == nil }
            return fail(slot: group[0], ApusError(.protocolViolation, text)) + [Self.detach(strangers)]
        }
        for (slot, number) in zip(group, numbers) {
            if let other = flows.slot(of: number), other != slot {
                return fail(slot: group[0], Self.followedAlready(job))
            }
        }
        if group.allSatisfy({ followers[$0] == nil }) {
            // One cancellation ends them all.
            for slot in group.dropFirst() { vacate(slot: slot) }
            return giveUp(slot: group[0], job: job, now: now)
        }
        submittedKeys.remove(key)
        var effects: [Effect] = []
        for (choice, slot) in group.enumerated() {
            let seed = GenerationRequest.seed(ofChoice: choice, of: message.seed)
            effects += opened(slot: slot, message, job: job, number: numbers[choice], seed: seed)
        }
        return effects
    }

    /// The coordinator sends a stream from now on, under a number.
    private mutating func opened(
        slot: Int,
        _ message: Apus_V1_Accepted,
        job: JobID,
        number: UInt64,
        seed: UInt64
    ) -> [Effect] {
        guard let stream = streams[slot] else { return [] }
        streams[slot]?.asked = .nothing
        streams[slot]?.deadline = nil
        streams[slot]?.job = job
        flows[slot].isReattaching = false
        flows.setNumber(number, slot: slot)
        slotOfJob[JobChoice(job: job, choice: stream.choice)] = slot
        guard let follower = followers[slot] else { return leave(slot: slot) }
        if stream.isAccepted { return [] }
        let choices = Int(max(1, message.choices))
        return [.accept(follower, AcceptedJob(job: job, seed: seed, choice: stream.choice, choices: choices))]
    }

    private mutating func finished(_ message: Apus_V1_Finished, now: Timestamp) -> [Effect] {
        guard let slot = flows.slot(of: message.stream), streams[slot]?.asked == .nothing,
            let follower = followers[slot]
        else { return [] }
        let end = StreamEnd(message)
        // A good end counts its tokens; where some of them have not come, they are asked for before the end is believed.
        if end.reason.isSuccess, UInt64(end.usage.completionTokens) > flows[slot].next, !flows[slot].isResynchronised {
            flows[slot].isReattaching = true
            flows[slot].isResynchronised = true
            return resynchronise(slot: slot, now: now)
        }
        vacate(slot: slot)
        return [.finish(follower, end)]
    }

    // MARK: - Tokens

    /// New tokens came.
    ///
    /// Rows of unknown streams are ignored, tokens below a stream's next index are cut off, and a stream with a gap is
    /// attached again from its next index, once; the next gap without a token in between fails it.
    ///
    /// - Returns: What to deliver, in order, for `delivered` afterwards; and the gaps, for `gapsFound` after that.
    mutating func tokensReceived(_ columns: TokenColumns) -> (deliveries: [TokenDelivery], gaps: [TokenGap]) {
        guard columns.isValid else {
            malformed += 1
            return ([], [])
        }
        return flows.take(columns)
    }

    /// A message of tokens, delivered by now, had gaps.
    mutating func gapsFound(_ gaps: [TokenGap], now: Timestamp) -> [Effect] {
        var effects: [Effect] = []
        for gap in gaps {
            guard gap.isSecond else {
                effects += resynchronise(slot: gap.slot, now: now)
                continue
            }
            let missing = "\(gap.missing.lowerBound) to \(gap.missing.upperBound - 1)"
            effects += fail(
                slot: gap.slot,
                ApusError(
                    .protocolViolation,
                    "the coordinator skipped the tokens \(missing) and did not send them when asked again"
                )
            )
        }
        return effects
    }

    private mutating func resynchronise(slot: Int, now: Timestamp) -> [Effect] {
        guard var stream = streams[slot] else { return [] }
        stream.asked = .reattach
        stream.deadline = now + configuration.readTimeout
        deadlines.insert(now + configuration.readTimeout, request: stream.request, lane: .answer)
        streams[slot] = stream
        flows[slot].grant()
        return stream.envelope(flows[slot]).map { [.send($0)] } ?? []
    }
}
