import ApusModel

extension CoordinatorMachine {
    /// Whether a submit under a known key asks for the same.
    func checkRepeated(_ request: GenerationRequest, at place: Int) throws(ApusError) {
        var first = ledger[place].request
        var second = request
        let isSamePrompt = ledger[place].promptDigest == request.prompt.stableDigest
        first.prompt = request.prompt
        if ledger[place].choseSeed { first.sampling.seed = nil }
        // The deadline and the model may have been filled in at acceptance; what the client left open matches anything.
        if second.deadline == nil { second.deadline = first.deadline }
        if let deadline = second.deadline { second.deadline = min(deadline, settings.longestDeadline) }
        if second.model == nil { second.model = first.model }
        if first.model == nil { first.model = second.model }
        guard isSamePrompt, first == second else {
            throw ApusError(.keyConflict, "the key belongs to job \(ledger[place].job) with another request")
        }
    }

    /// Decides whether a new job is taken.
    ///
    /// - Parameters:
    ///   - request: What is asked for.
    ///   - key: Its idempotency key.
    ///   - client: Whose share it is.
    /// - Returns: The token work that it is expected to be.
    /// - Throws: `overloaded` where too much waits already, and what is wrong with the request.
    func admit(_ request: GenerationRequest, key: String, client: ClientKey) throws(ApusError) -> Int {
        if isDraining {
            throw ApusError(.shuttingDown, "the coordinator is shutting down and takes no new jobs")
        }
        guard (1...Limits.keyBytes).contains(key.utf8.count) else {
            throw ApusError(.invalidRequest, "the key must have 1 to \(Limits.keyBytes) bytes")
        }
        let model = try checkModel(request)
        let work = expectedWork(of: request, model: model)
        if let refusal = admission.refusal(for: client, work: work) { throw refusal }
        guard counters.promptBytes + request.prompt.utf8.count <= settings.promptBytes else {
            throw ApusError(
                .overloaded,
                "the prompts of unfinished jobs take \(counters.promptBytes) bytes already; try again later",
                retryAfter: settings.retryAfter
            )
        }
        return work
    }

    /// The tokens that a request is expected to cost, prompt and answer.
    func expectedWork(of request: GenerationRequest, model: Int?) -> Int {
        let output =
            model.map { models[$0].output.expected(maximumTokens: request.maximumTokens) } ?? request.maximumTokens
        return TokenWork.expected(promptBytes: request.prompt.utf8.count, outputTokens: output)
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

    /// Makes a stream of a job that is taken.
    mutating func accept(
        _ request: GenerationRequest,
        key: String,
        client: String,
        work: Int,
        at now: Timestamp,
        into turn: inout Turn
    ) -> StreamID {
        lastStream += 1
        let stream = StreamID(rawValue: lastStream)
        let job = JobID(rawValue: (settings.secret &+ lastStream &* 0x9e37_79b9_7f4a_7c15).mixed)
        var request = request
        let choseSeed = request.sampling.seed == nil
        if choseSeed { request.sampling.seed = (~job.rawValue).mixed }
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

    /// Adds what a record promises to the ledger; the stream does not wait anywhere yet.
    ///
    /// - Returns: The stream's place.
    @discardableResult
    mutating func insert(_ record: AcceptedRecord, work: Int) -> Int {
        let deadline = record.acceptedAt + (record.request.deadline ?? settings.defaultDeadline)
        var entry = StreamEntry(
            id: record.stream,
            job: record.job,
            key: record.key,
            request: record.request,
            choseSeed: record.choseSeed,
            acceptedAt: record.acceptedAt,
            deadline: deadline,
            clientName: record.client,
            client: ClientKey(name: record.client),
            weight: settings.shares[record.client] ?? 1
        )
        entry.promptDigest = record.request.prompt.stableDigest
        entry.work = work
        counters.promptBytes += record.request.prompt.utf8.count
        let place = ledger.insert(consume entry)
        jobs[record.job] = record.stream
        keys[record.key] = record.stream
        deadlines.insert(record.stream, at: deadline)
        if record.request.model == nil, let model = onlyModel, let known = modelPlaces[model] { bind(place, to: known) }
        return place
    }

    /// The model of a request that names none.
    private var onlyModel: ModelName? {
        let known = knownModels
        if known.count <= 1 { return known.first }
        return models.first { $0.pool.connected > 0 }?.name
    }
}
