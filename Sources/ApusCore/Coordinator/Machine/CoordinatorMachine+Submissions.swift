import ApusModel

extension CoordinatorMachine {
    /// Whether a submit under a known key asks for the same.
    func checkRepeated(_ request: GenerationRequest, at place: Int) throws(ApusError) {
        var first = ledger[place].request
        var second = request
        // The large parts of a stream that ended are gone.
        let isSameBulk = ledger[place].bulkDigest == request.bulkDigest
        first.removeBulk()
        second.removeBulk()
        first.choices = Int(ledger[place].choices)
        if ledger[place].choseSeed { first.sampling.seed = nil }
        // How durable it is is no part of what is asked for; a repair of the journal may have changed it.
        second.durability = first.durability
        // The deadline and the model may have been filled in at acceptance; what the client left open matches anything.
        if second.deadline == nil { second.deadline = first.deadline }
        if let deadline = second.deadline { second.deadline = min(deadline, settings.longestDeadline) }
        if second.model == nil { second.model = first.model }
        if first.model == nil { first.model = second.model }
        guard isSameBulk, first == second else {
            throw ApusError(.keyConflict, "the key belongs to job \(ledger[place].job) with another request")
        }
    }

    /// Decides whether a new job is taken, with all of its streams.
    ///
    /// - Parameters:
    ///   - request: What is asked for.
    ///   - key: Its idempotency key.
    ///   - client: Whose share it is.
    /// - Returns: The token work that each of its streams is expected to be.
    /// - Throws: `overloaded` where too much waits already, and what is wrong with the request.
    func admit(_ request: GenerationRequest, key: String, client: ClientKey) throws(ApusError) -> Int {
        if isDraining {
            throw ApusError(.shuttingDown, "the coordinator is shutting down and takes no new jobs")
        }
        if isJournalFull, request.durability != .none {
            throw ApusError(
                .overloaded,
                "the journal has reached its limit with jobs that have not ended; try again when some have",
                retryAfter: settings.retryAfter
            )
        }
        guard (1...Limits.keyBytes).contains(key.utf8.count) else {
            throw ApusError(.invalidRequest, "the key must have 1 to \(Limits.keyBytes) bytes")
        }
        let model = try checkModel(request)
        let work = expectedWork(of: request, model: model)
        if let refusal = admission.refusal(for: client, work: work * request.choices, streams: request.choices) {
            throw refusal
        }
        guard counters.promptBytes + request.bulkBytes * request.choices <= settings.promptBytes else {
            throw ApusError(
                .overloaded,
                "the prompts of unfinished jobs take \(counters.promptBytes) bytes already; try again later",
                retryAfter: settings.retryAfter
            )
        }
        // Last, because it can cost the most: what is refused for lack of room is refused at once.
        try checkConstraint(of: request)
        return work
    }

    /// Checks what the output of a new job has to be: the one place where a constraint is refused, before anything is promised.
    private func checkConstraint(of request: GenerationRequest) throws(ApusError) {
        _ = try request.constraint?.grammar()
    }

    /// The tokens that a stream of a request is expected to cost, prompt and answer.
    func expectedWork(of request: GenerationRequest, model: Int?) -> Int {
        let output =
            model.map { models[$0].output.expected(maximumTokens: request.maximumTokens) } ?? request.maximumTokens
        return TokenWork.expected(promptBytes: request.promptBytes, outputTokens: output)
    }

    /// The place of the model that a request is for; `nil` where no worker serves it yet.
    private func checkModel(_ request: GenerationRequest) throws(ApusError) -> Int? {
        guard let model = request.model else {
            let known = knownModels
            // A model whose workers are all gone is no reason to ask which one is meant.
            let served = servedModels
            let choice = served.isEmpty ? known : served
            if choice.count > 1 {
                throw ApusError(
                    .invalidRequest,
                    "name a model; this cluster serves \(choice.map(\.text).joined(separator: ", "))"
                )
            }
            return choice.first.flatMap { modelPlaces[$0] }
        }
        if let place = modelPlaces[model], models[place].workers > 0 { return place }
        let known = knownModels
        guard known.isEmpty else {
            throw ApusError(
                .unknownModel,
                "no worker serves \(model); this cluster serves \(known.map(\.text).joined(separator: ", "))"
            )
        }
        return nil
    }

    /// Makes the streams of a job that is taken; they do not wait anywhere yet.
    ///
    /// - Parameters:
    ///   - request: What is asked for.
    ///   - key: Its idempotency key.
    ///   - client: The name of the client whose share it is.
    ///   - work: The token work that each of its streams is expected to be.
    ///   - choseSeed: Whether the request's seed is a coordinator's choice; `nil` says so where it has none.
    ///   - now: When it is taken.
    ///   - turn: Receives the acceptance.
    /// - Returns: The first of them.
    mutating func accept(
        _ request: GenerationRequest,
        key: String,
        client: String,
        work: Int,
        choseSeed: Bool? = nil,
        at now: Timestamp,
        into turn: inout Turn
    ) -> StreamID {
        let stream = StreamID(rawValue: lastStream + 1)
        lastStream += UInt64(request.choices)
        let job = JobID(rawValue: (settings.secret &+ stream.rawValue &* 0x9e37_79b9_7f4a_7c15).mixed)
        var request = request
        let choseSeed = choseSeed ?? (request.sampling.seed == nil)
        if request.sampling.seed == nil { request.sampling.seed = (~job.rawValue).mixed }
        request.deadline = min(request.deadline ?? settings.defaultDeadline, settings.longestDeadline)
        let record = AcceptedRecord(
            job: job,
            stream: stream,
            key: key,
            client: client,
            request: request,
            choseSeed: choseSeed,
            acceptedAt: now
        )
        insert(record, work: work)
        turn.records.append(.accepted(record))
        return stream
    }

    /// Adds what a record promises to the ledger; the streams do not wait anywhere yet.
    ///
    /// - Parameters:
    ///   - record: The acceptance.
    ///   - work: The token work that each of its streams is expected to be.
    mutating func insert(_ record: AcceptedRecord, work: Int) {
        let deadline = record.acceptedAt + (record.request.deadline ?? settings.defaultDeadline)
        let digest = record.request.bulkDigest
        let weight = settings.shares[record.client] ?? 1
        jobs[record.job] = record.stream
        keys[record.key] = record.stream
        let model = record.request.model == nil ? onlyModel.flatMap { modelPlaces[$0] } : nil
        for choice in 0..<record.streams.count {
            var entry = StreamEntry(record, choice: choice, deadline: deadline, weight: weight)
            entry.bulkDigest = digest
            entry.work = work
            let (stream, bytes) = (entry.id, entry.request.bulkBytes)
            counters.promptBytes += bytes
            let place = ledger.insert(consume entry)
            deadlines.insert(stream, at: deadline)
            if let model { bind(place, to: model) }
        }
    }

    /// The places of a job's streams, in the order of the choices, by that of any of them.
    ///
    /// All streams of a job are kept as long as one of them is.
    func siblings(of place: Int) -> [Int] {
        // Nearly every job has one stream.
        if ledger[place].choices == 1 { return [place] }
        let first = ledger[place].firstStream.rawValue
        return (0..<UInt64(ledger[place].choices)).compactMap { ledger.place(of: StreamID(rawValue: first + $0)) }
    }

    /// The model of a request that names none.
    private var onlyModel: ModelName? {
        let known = knownModels
        if known.count <= 1 { return known.first }
        return models.first { $0.pool.connected > 0 }?.name
    }
}
