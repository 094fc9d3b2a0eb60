import ApusCore
import ApusModel

/// All checkers of a world, each told only of the events that it has a method for.
///
/// The calls are static: a world has about 5,000 events, and no checker may cost more than a few comparisons in most of them.
struct CheckerSet {
    private var prefix: PrefixChecker
    private var gaps: GapChecker
    private var content: ContentChecker
    private var ends: EndChecker
    private var durability: DurabilityChecker
    private var silence: SilenceChecker
    private var attempts: AttemptChecker
    private var fencing: FencingChecker
    private var accepting: AcceptingChecker
    private var slots: SlotChecker
    private var refusals: RefusalChecker
    private var credits: CreditChecker
    private var bounds: BoundChecker
    private var progress: ProgressChecker
    private var fairness: FairnessChecker
    private var limits: LimitChecker
    private var idempotence: IdempotenceChecker
    private var ownLag: OwnLagChecker
    private var clock: ClockChecker
    private var replay: ReplayChecker
    private var continuity: ContinuityChecker
    private var usage: UsageChecker
    private var retention: RetentionChecker
    private var outages: OutageChecker
    private var retrying: RetryChecker
    private var numbers: NumberChecker

    /// So many batches of the journal were told as committed.
    private var batches = 0

    /// Begins with every promise kept.
    init(truth: Truth, configuration: WorldConfiguration) {
        prefix = PrefixChecker(configuration: configuration)
        gaps = GapChecker(configuration: configuration)
        content = ContentChecker(configuration: configuration)
        ends = EndChecker(configuration: configuration)
        durability = DurabilityChecker(configuration: configuration)
        silence = SilenceChecker()
        attempts = AttemptChecker(truth: truth, configuration: configuration)
        fencing = FencingChecker(configuration: configuration)
        accepting = AcceptingChecker(configuration: configuration)
        slots = SlotChecker(configuration: configuration)
        refusals = RefusalChecker()
        credits = CreditChecker(configuration: configuration)
        bounds = BoundChecker(configuration: configuration)
        progress = ProgressChecker(configuration: configuration)
        fairness = FairnessChecker(truth: truth, configuration: configuration)
        limits = LimitChecker(truth: truth, configuration: configuration)
        idempotence = IdempotenceChecker(configuration: configuration)
        ownLag = OwnLagChecker(configuration: configuration)
        clock = ClockChecker()
        replay = ReplayChecker(configuration: configuration)
        continuity = ContinuityChecker(configuration: configuration)
        usage = UsageChecker(configuration: configuration)
        retention = RetentionChecker(configuration: configuration)
        outages = OutageChecker()
        retrying = RetryChecker(configuration: configuration)
        numbers = NumberChecker()
    }

    /// What was broken, at most one violation a checker, in the order of the checkers.
    var violations: [Violation] {
        let all: [Violation?] = [
            prefix.violation,
            gaps.violation,
            content.violation,
            ends.violation,
            durability.violation,
            silence.violation,
            attempts.violation,
            fencing.violation,
            accepting.violation,
            slots.violation,
            refusals.violation,
            credits.violation,
            bounds.violation,
            progress.violation,
            fairness.violation,
            limits.violation,
            idempotence.violation,
            ownLag.violation,
            clock.violation,
            replay.violation,
            continuity.violation,
            usage.violation,
            retention.violation,
            outages.violation,
            retrying.violation,
            numbers.violation,
        ]
        return all.compactMap { $0 }
    }

    /// The names of all checkers, in their order.
    static let names: [String] = [
        PrefixChecker.name,
        GapChecker.name,
        ContentChecker.name,
        EndChecker.name,
        DurabilityChecker.name,
        SilenceChecker.name,
        AttemptChecker.name,
        FencingChecker.name,
        AcceptingChecker.name,
        SlotChecker.name,
        RefusalChecker.name,
        CreditChecker.name,
        BoundChecker.name,
        ProgressChecker.name,
        FairnessChecker.name,
        LimitChecker.name,
        IdempotenceChecker.name,
        OwnLagChecker.name,
        ClockChecker.name,
        ReplayChecker.name,
        ContinuityChecker.name,
        UsageChecker.name,
        RetentionChecker.name,
        OutageChecker.name,
        RetryChecker.name,
        NumberChecker.name,
    ]
}

extension CheckerSet {
    /// A client hands a request to its connection.
    mutating func clientSent(_ request: ClientRequest, by client: ClientLife, at now: Timestamp) {
        gaps.clientSent(request, by: client, at: now)
    }

    /// A client takes a message from its connection.
    mutating func clientReceived(_ message: ClientMessage, by client: ClientLife, at now: Timestamp) {
        prefix.clientReceived(message, by: client, at: now)
        gaps.clientReceived(message, by: client, at: now)
        content.clientReceived(message, by: client, at: now)
        ends.clientReceived(message, by: client, at: now)
    }

    /// The coordinator tells its machine a client's request.
    mutating func requestTold(_ request: ClientRequest, from peer: ClientPeer, at now: Timestamp) {
        durability.requestTold(request, from: peer, at: now)
        silence.requestTold(request, from: peer, at: now)
        credits.requestTold(request, from: peer, at: now)
        idempotence.requestTold(request, from: peer, at: now)
        ownLag.requestTold(request, from: peer, at: now)
        retention.requestTold(request, from: peer, at: now)
        retrying.requestTold(request, from: peer, at: now)
    }

    /// The coordinator tells its machine that a client's connection is gone.
    mutating func lossTold(of peer: ClientPeer, at now: Timestamp) {
        credits.lossTold(of: peer, at: now)
    }

    /// The coordinator tells its machine a worker's message.
    mutating func reportTold(_ report: WorkerReport, from peer: WorkerPeer, at now: Timestamp) {
        fencing.reportTold(report, from: peer, at: now)
        slots.reportTold(report, from: peer, at: now)
        refusals.reportTold(report, from: peer, at: now)
        ownLag.reportTold(report, from: peer, at: now)
    }

    /// The machine ended a turn; nothing of it is durable or visible yet.
    mutating func turnDecided(
        _ turn: borrowing Turn,
        by machine: borrowing CoordinatorMachine,
        at now: Timestamp
    ) {
        slots.turnDecided(turn, by: machine, at: now)
        credits.turnDecided(turn, by: machine, at: now)
        bounds.turnDecided(turn, by: machine, at: now)
        limits.turnDecided(turn, by: machine, at: now)
        ownLag.turnDecided(turn, by: machine, at: now)
        clock.turnDecided(turn, by: machine, at: now)
    }

    /// A batch is durable from now on.
    mutating func committed(tokens: [TokenColumns], records: [JournalRecord], at now: Timestamp) {
        batches += 1
        prefix.committed(tokens: tokens, records: records, at: now)
        content.committed(tokens: tokens, records: records, at: now)
        silence.committed(tokens: tokens, records: records, at: now)
        ends.committed(tokens: tokens, records: records, at: now)
        durability.committed(tokens: tokens, records: records, at: now)
        attempts.committed(tokens: tokens, records: records, at: now)
        fencing.committed(tokens: tokens, records: records, at: now)
        accepting.committed(tokens: tokens, records: records, at: now)
        slots.committed(tokens: tokens, records: records, at: now)
        credits.committed(tokens: tokens, records: records, at: now)
        progress.committed(tokens: tokens, records: records, at: now)
        fairness.committed(tokens: tokens, records: records, at: now)
        limits.committed(tokens: tokens, records: records, at: now)
        idempotence.committed(tokens: tokens, records: records, at: now)
        continuity.committed(tokens: tokens, records: records, at: now)
        usage.committed(tokens: tokens, records: records, at: now)
        if !records.isEmpty {
            retention.committed(tokens: tokens, records: records, at: now)
            retrying.committed(tokens: tokens, records: records, at: now)
            numbers.committed(tokens: tokens, records: records, at: now)
        }
    }

    /// The coordinator hands a message for a client to the connection.
    mutating func sent(_ message: ClientMessage, to peer: ClientPeer, at now: Timestamp) {
        durability.sent(message, to: peer, at: now)
        silence.sent(message, to: peer, at: now)
        credits.sent(message, to: peer, at: now)
        idempotence.sent(message, to: peer, at: now)
        retention.sent(message, to: peer, at: now)
        outages.sent(message, to: peer, at: now)
        retrying.sent(message, to: peer, at: now)
    }

    /// The coordinator hands a message for a worker to the connection.
    mutating func sent(_ message: WorkerMessage, to peer: WorkerPeer, at now: Timestamp) {
        content.sent(message, to: peer, at: now)
        durability.sent(message, to: peer, at: now)
        slots.sent(message, to: peer, at: now)
        refusals.sent(message, to: peer, at: now)
        credits.sent(message, to: peer, at: now)
        limits.sent(message, to: peer, at: now)
        ownLag.sent(message, to: peer, at: now)
        outages.sent(message, to: peer, at: now)
    }

    /// The coordinator's process died.
    mutating func coordinatorDied(at now: Timestamp) {
        attempts.coordinatorDied(at: now)
        fencing.coordinatorDied(at: now)
        slots.coordinatorDied(at: now)
        refusals.coordinatorDied(at: now)
        credits.coordinatorDied(at: now)
        limits.coordinatorDied(at: now)
        outages.coordinatorDied(at: now)
        ownLag.outageEnded(at: now)
    }

    /// The coordinator's death took what its jobs asked not to be kept.
    mutating func lost(_ loss: CoordinatorLoss, at now: Timestamp) {
        gaps.lost(loss, at: now)
        content.lost(loss, at: now)
        ends.lost(loss, at: now)
        durability.lost(loss, at: now)
        credits.lost(loss, at: now)
        progress.lost(loss, at: now)
        fairness.lost(loss, at: now)
        idempotence.lost(loss, at: now)
        usage.lost(loss, at: now)
        retention.lost(loss, at: now)
        retrying.lost(loss, at: now)
    }

    /// The disk refused a batch: the turn is held, and the coordinator stands still.
    mutating func outageBegan(at now: Timestamp) {
        ownLag.outageBegan(at: now)
        outages.outageBegan(at: now)
    }

    /// The disk took the batch that it had refused.
    mutating func outageEnded(at now: Timestamp) {
        ownLag.outageEnded(at: now)
        outages.outageEnded(at: now)
    }

    /// A new coordinator has replayed the journal as the disk holds it.
    ///
    /// Batches whose fate was open when the former one died are told as committed first.
    mutating func coordinatorRecovered(
        _ machine: borrowing CoordinatorMachine,
        from journal: [SimulatedBatch],
        at now: Timestamp
    ) {
        while batches < journal.count {
            committed(tokens: journal[batches].tokens, records: journal[batches].records, at: now)
        }
        fairness.coordinatorRecovered(machine, from: journal, at: now)
        ownLag.coordinatorRecovered(machine, from: journal, at: now)
        replay.coordinatorRecovered(machine, from: journal, at: now)
    }

    /// A fault was injected.
    mutating func faulted(_ fault: Fault, at now: Timestamp) {
        attempts.faulted(fault, at: now)
    }

    /// All faults are over and everything is whole again.
    mutating func healed(at now: Timestamp) {
        progress.healed(at: now)
    }

    /// The world stops.
    mutating func worldEnded(_ end: borrowing WorldEnd, at now: Timestamp) {
        ends.worldEnded(end, at: now)
        slots.worldEnded(end, at: now)
        bounds.worldEnded(end, at: now)
        progress.worldEnded(end, at: now)
        replay.worldEnded(end, at: now)
    }
}
