import ApusProtocol

extension ClusterStatus {
    /// The status that a coordinator sent.
    init(_ wire: Apus_V1_Status) {
        self.init()
        coordinator = wire.coordinator
        version = wire.version
        pid = Int(wire.pid)
        uptimeMilliseconds = Int(clamping: wire.uptimeMs)
        workers = wire.workers.map { WorkerStatus($0) }
        streams.active = Int(clamping: wire.streamsActive)
        streams.queued = Int(clamping: wire.streamsQueued)
        streams.completed = Int(clamping: wire.streamsCompleted)
        streams.failed = Int(clamping: wire.streamsFailed)
        streams.cancelled = Int(clamping: wire.streamsCancelled)
        failovers = Int(clamping: wire.failovers)
        tokens = Int(clamping: wire.tokens)
        tokensPerSecond = wire.tokensPerSecond.finiteOrZero
        firstToken = Quantiles(wire.firstToken)
        interToken = Quantiles(wire.interToken)
        queueWait = Quantiles(wire.queueWait)
        clients = Int(clamping: wire.clients)
        rejected = Int(clamping: wire.rejected)
        malformed = Int(clamping: wire.malformed)
        stale = Int(clamping: wire.stale)
        memoryBytes = Int(clamping: wire.memoryBytes)
        processorMilliseconds = Double(wire.cpuUs) / 1000
        journal = wire.journal
        hedges = Int(clamping: wire.hedges)
        journalStatus = JournalStatus(wire.journalStatus)
    }
}

extension JournalStatus {
    /// The journal's status that a coordinator sent.
    init(_ wire: Apus_V1_JournalStatus) {
        self.init()
        failure = wire.failure
        failingMilliseconds = Int(clamping: wire.failingMs)
        diskBytes = Int(clamping: wire.diskBytes)
        usedBytes = Int(clamping: wire.usedBytes)
        limitBytes = Int(clamping: wire.limitBytes)
        memoryBytes = Int(clamping: wire.memoryBytes)
        jobs = Int(clamping: wire.jobs)
        commits = Int(clamping: wire.commits)
        commit = Quantiles(wire.commit)
    }
}

extension WorkerStatus {
    /// The worker's status that a coordinator sent.
    init(_ wire: Apus_V1_WorkerStatus) {
        self.init()
        name = wire.name
        pid = Int(wire.pid)
        host = wire.host
        model = wire.model
        engine = wire.engine
        state = wire.state
        slots = Int(wire.slots)
        active = Int(wire.active)
        batchSize = Int(wire.batchSize)
        batchLimit = Int(wire.batchLimit)
        tokensPerSecond = wire.tokensPerSecond.finiteOrZero
        firstToken = Quantiles(wire.firstToken)
        interToken = Quantiles(wire.interToken)
        step = Quantiles(wire.step)
        queueWait = Quantiles(wire.queueWait)
        prefill = Quantiles(wire.prefill)
        lastBeatMilliseconds = Int(clamping: wire.lastBeatMs)
        failures = Int(clamping: wire.failures)
        tokens = Int(clamping: wire.tokens)
        exactness = wire.exactness
        fingerprint = wire.fingerprint
        incarnation = wire.incarnation
        contextTokens = Int(clamping: wire.contextTokens)
        memoryBytes = Int(clamping: wire.memoryBytes)
        load = WorkerLoadStatus(wire.load)
    }
}

extension WorkerLoadStatus {
    /// The load that a coordinator passed on.
    init(_ wire: Apus_V1_Load) {
        self.init()
        memory = wire.memory
        isRefusing = wire.refusing
        bound = wire.bound
        policy = wire.policy
        promptTokens = Int(clamping: wire.promptTokens)
        cachedTokens = Int(clamping: wire.cachedTokens)
        cacheHitRate = Self.share(cachedTokens, of: promptTokens)
        cacheBytes = Int(clamping: wire.cacheBytes)
        grantedTokens = Int(clamping: wire.granted)
        grantedAheadTokens = Int(clamping: wire.grantedAhead)
        lookaheadHitRate = Self.share(grantedAheadTokens, of: grantedTokens)
        draftedTokens = Int(clamping: wire.drafted)
        acceptedTokens = Int(clamping: wire.accepted)
        acceptanceRate = Self.share(acceptedTokens, of: draftedTokens)
        errors = Int(clamping: wire.errors)
        recovered = Int(clamping: wire.recovered)
    }

    private static func share(_ part: Int, of whole: Int) -> Double {
        whole == 0 ? 0 : min(1, Double(part) / Double(whole))
    }
}

extension Quantiles {
    /// The distribution that a coordinator sent, in milliseconds.
    init(_ wire: Apus_V1_Quantiles) {
        self.init()
        count = Int(clamping: wire.count)
        p50 = Double(wire.p50Us) / 1000
        p95 = Double(wire.p95Us) / 1000
        p99 = Double(wire.p99Us) / 1000
        max = Double(wire.maxUs) / 1000
    }
}

extension JobSummary {
    /// The job that a coordinator sent.
    init(_ wire: Apus_V1_JobInfo) {
        self.init()
        job = wire.job
        state = wire.state
        model = wire.model
        choice = Int(wire.choice)
        tokens = Int(clamping: wire.tokens)
        maximumTokens = Int(clamping: wire.maxTokens)
        worker = wire.worker
        attempts = Int(wire.attempts)
        continuity = wire.continuity
        ageMilliseconds = Int(clamping: wire.ageMs)
        key = wire.key
        priority = wire.priority
        client = wire.client
        if !wire.errorCode.isEmpty { error = JobFailure(code: wire.errorCode, message: wire.errorMessage) }
    }
}

extension Double {
    // JSON has no NaN and no infinity; a peer's odd value must not make a status unprintable.
    fileprivate var finiteOrZero: Double { isFinite ? self : 0 }
}
