import ApusCore
import ApusJournal
import ApusModel
import ApusProtocol
import ApusTelemetry

extension Coordinator {
    /// Workers that a status shows: some hundred bytes each, below the frame limit.
    static let workersInStatus = 1_000

    /// Jobs that an answer shows.
    static let jobsInAnswer = 1_000

    /// The cluster as it stands.
    func status(request: UInt64, at now: Timestamp) -> Apus_V1_Status {
        let counters = machine.counters
        let usage = ProcessUsage.current()
        var status = Apus_V1_Status()
        status.request = request
        status.coordinator = identity
        status.version = ApusVersion.release
        status.pid = ProcessUsage.processID
        status.uptimeMs = UInt64((now - startedAt).milliseconds)
        // Where there are more than a message holds, those that are gone are left out first.
        var shown = machine.workerViews
        if shown.count > Self.workersInStatus { shown.removeAll { $0.state == "lost" } }
        status.workers = shown.prefix(Self.workersInStatus).map { workerStatus($0, at: now) }
        status.streamsActive = UInt64(counters.active + counters.parked)
        status.streamsQueued = UInt64(counters.queued)
        status.streamsCompleted = counters.completed
        status.streamsFailed = counters.failed
        status.streamsCancelled = counters.cancelled
        status.failovers = counters.failovers
        status.tokens = counters.tokens
        status.tokensPerSecond = telemetry.rate.perSecond(at: now)
        status.firstToken = Apus_V1_Quantiles(telemetry.firstToken)
        status.interToken = Apus_V1_Quantiles(telemetry.interToken)
        status.queueWait = Apus_V1_Quantiles(telemetry.queueWait)
        status.clients = UInt64(machine.connectedClients.count)
        status.rejected = counters.rejected
        status.malformed = malformed + counters.violations
        status.stale = counters.stale
        status.memoryBytes = usage.residentBytes
        status.cpuUs = usage.processorTime.wireMicroseconds
        status.journal = journal.kind
        status.hedges = counters.hedges
        status.journalStatus = journalStatus(at: now)
        return status
    }

    private func journalStatus(at now: Timestamp) -> Apus_V1_JournalStatus {
        let figures = journal.figures
        var status = Apus_V1_JournalStatus()
        status.failure = keeper.failure?.message ?? ""
        status.failingMs = keeper.failingSince.map { UInt64(max(0, (now - $0).milliseconds)) } ?? 0
        status.diskBytes = figures.diskBytes
        status.usedBytes = figures.usedBytes
        status.limitBytes = figures.limitBytes
        status.memoryBytes = figures.memoryBytes
        status.jobs = figures.jobs
        status.commits = figures.commits
        status.commit = Apus_V1_Quantiles(telemetry.commit)
        return status
    }

    /// Streams that failed or expired.
    func jobs(request: UInt64, _ letters: [DeadLetter], at now: Timestamp) -> Apus_V1_Jobs {
        var jobs = Apus_V1_Jobs()
        jobs.request = request
        jobs.total = UInt64(letters.count)
        jobs.jobs = letters.map { letter in
            var job = Apus_V1_JobInfo()
            job.job = letter.job.description
            job.state = letter.end.reason.rawValue
            job.model = letter.model?.text ?? ""
            job.stream = letter.stream.rawValue
            job.choice = UInt32(clamping: letter.choice)
            job.tokens = UInt64(clamping: letter.end.usage.completionTokens)
            job.attempts = UInt32(clamping: letter.end.attempts)
            job.continuity = letter.end.continuity.rawValue
            job.ageMs = UInt64(max(0, (now - letter.acceptedAt).milliseconds))
            job.key = letter.key
            job.client = letter.client
            job.errorCode = letter.end.error?.code.rawValue ?? ""
            job.errorMessage = String(decoding: (letter.end.error?.message ?? "").utf8.prefix(400), as: UTF8.self)
            return job
        }
        return jobs
    }

    private func workerStatus(_ view: WorkerView, at now: Timestamp) -> Apus_V1_WorkerStatus {
        var measured = telemetry.workers[view.registration.name] ?? ClusterTelemetry.Worker()
        var worker = Apus_V1_WorkerStatus()
        worker.name = view.registration.name.text
        worker.pid = view.registration.processID
        worker.host = view.registration.host
        worker.model = view.registration.model.text
        worker.engine = view.registration.engine
        worker.state = view.state
        worker.slots = UInt32(view.registration.slots)
        worker.active = UInt32(view.leases)
        worker.batchSize = UInt32(clamping: view.load.batchSize)
        worker.batchLimit = UInt32(clamping: view.load.batchLimit)
        worker.tokensPerSecond = measured.rate.perSecond(at: now)
        worker.firstToken = Apus_V1_Quantiles(measured.firstToken)
        worker.interToken = Apus_V1_Quantiles(measured.interToken)
        worker.step = Apus_V1_Quantiles(measured.step)
        worker.prefill = Apus_V1_Quantiles(measured.prefill)
        worker.queueWait = Apus_V1_Quantiles(measured.queueWait)
        worker.lastBeatMs = UInt64(max(0, (now - view.lastBeat).milliseconds))
        worker.failures = view.failures
        worker.tokens = view.tokens
        worker.exactness = view.registration.exactness.rawValue
        worker.fingerprint = view.registration.fingerprint.description
        worker.incarnation = view.registration.incarnation.description
        worker.contextTokens = UInt64(view.registration.contextTokens)
        worker.memoryBytes = view.load.memoryBytes
        worker.load = measured.load
        return worker
    }

    /// The streams of the newest jobs.
    func jobs(request: UInt64, limit: Int, at now: Timestamp) -> Apus_V1_Jobs {
        var jobs = Apus_V1_Jobs()
        jobs.request = request
        jobs.total = UInt64(machine.streamCount)
        jobs.jobs = machine.jobViews(limit: limit).map { view in
            var job = Apus_V1_JobInfo()
            job.job = view.job.description
            job.state = view.state
            job.model = view.model?.text ?? ""
            job.stream = view.stream.rawValue
            job.tokens = UInt64(view.tokens)
            job.maxTokens = UInt64(view.maximumTokens)
            job.worker = view.worker?.text ?? ""
            job.attempts = UInt32(clamping: view.attempts)
            job.continuity = view.continuity.rawValue
            job.ageMs = UInt64(max(0, (now - view.acceptedAt).milliseconds))
            job.key = view.key
            job.errorCode = view.error?.code.rawValue ?? ""
            // A thousand jobs have to fit into a frame; a worker may have written this.
            job.errorMessage = String(decoding: (view.error?.message ?? "").utf8.prefix(200), as: UTF8.self)
            job.priority = view.priority.rawValue
            job.client = view.client
            job.choice = UInt32(view.choice)
            return job
        }
        return jobs
    }
}
