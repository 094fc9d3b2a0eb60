import ApusCore
import ApusModel

/// A worker's host and the process that runs there.
struct SimulatedWorker {
    /// Where the process stands with the coordinator.
    enum Standing {
        case disconnected
        case registering(since: Int64)
        case enlisted
    }

    let spec: WorkerSpec

    /// Whether a process runs.
    var isRunning = false

    /// Counts the processes; events of a former one are void.
    var life = 0

    var incarnation: UInt64 = 0
    var standing = Standing.disconnected

    /// The place of its connection; `nil` without one.
    var connection: Int?

    /// In the order of their arrival; the first unfinished ones have the slots.
    var attempts: [SimulatedAttempt] = []

    /// Steps so far.
    var progress: UInt64 = 0
    var isStepping = false

    /// Counts the steps of all processes; the end of a former one is void.
    var stepSerial = 0
    var stepTime: Int64 = 0
    var batchSize = 0
    var prefilled: UInt64 = 0

    /// Until when the whole process stands still.
    var frozenUntil: Int64 = 0

    /// Until when its engine stands still while its beats go on.
    var hungUntil: Int64 = 0

    /// Until when it takes no new work.
    var refusesUntil: Int64 = 0

    /// By how much its steps are longer than they should be.
    var slowness: Int64 = 1

    /// Whether it sends what is not so, now and then.
    var isLiar = false

    /// Since when it finishes what it has.
    var drainingSince: Int64?

    /// Whether it goes away for good when faults end: a second process under another's name.
    var isIntruder = false

    /// Blocks of prompts that it keeps, the one that was used longest ago first, and what of them is not told yet.
    var cached: [UInt64] = []
    var newBlocks: [UInt64] = []
    var evictedBlocks: [UInt64] = []

    /// Whether it asked to be drained.
    var wantsToLeave = false

    /// Counts the chains of beats; one is valid at a time.
    var beatsBy = 0

    /// What decides on its tokens.
    let numerics: UInt64

    init(spec: WorkerSpec) {
        self.spec = spec
        numerics = Truth.numerics(of: spec.fingerprint)
    }

    @inline(__always)
    var isEnlisted: Bool {
        if case .enlisted = standing { true } else { false }
    }

    @inline(__always)
    var held: [HeldAttempt] {
        attempts.map { HeldAttempt(stream: $0.stream, epoch: $0.epoch, next: $0.next) }
    }

    /// A process begins with nothing.
    mutating func start(incarnation: UInt64) {
        isRunning = true
        life += 1
        self.incarnation = incarnation
        standing = .disconnected
        connection = nil
        attempts.removeAll(keepingCapacity: true)
        progress = 0
        isStepping = false
        wantsToLeave = false
        stepTime = 0
        batchSize = 0
        prefilled = 0
        frozenUntil = 0
        hungUntil = 0
        refusesUntil = 0
        slowness = 1
        isLiar = false
        drainingSince = nil
        cached.removeAll()
        newBlocks.removeAll()
        evictedBlocks.removeAll()
    }
}

/// What a worker knows of an attempt until its end is acknowledged.
struct SimulatedAttempt {
    /// Tokens of a prompt or a history that one step computes.
    static let chunk = 512

    let stream: StreamID
    let epoch: Epoch
    let job: Int
    let seed: UInt64

    /// The index of the first token that may have to be sent again.
    var unacknowledged: Int

    /// The index that is computed next.
    var next: Int

    /// The index up to which it may compute.
    var limit: Int

    /// Tokens of prompt and history that are to be computed first.
    var prefill: Int

    /// Where the stream ends, and how.
    let length: Int
    let reason: FinishReason
    let promptTokens: Int

    /// Tokens of prompt and history that the present step computes.
    var computing = 0

    /// Whether the present step moves it.
    var isInStep = false

    /// Its end; it then only waits for its acknowledgement.
    var hasEnded = false

    var canMove: Bool { !hasEnded && (prefill > 0 || next < limit || next == length) }

    var end: AttemptEnd {
        AttemptEnd(stream: stream, epoch: epoch, reason: reason, promptTokens: promptTokens, endIndex: next)
    }
}

extension SimulatedWorker {
    /// Takes an attempt up; one of a lower epoch of the same stream is replaced.
    mutating func start(_ attempt: SimulatedAttempt) {
        if let place = attempts.firstIndex(where: { $0.stream == attempt.stream }) {
            guard attempts[place].epoch < attempt.epoch else { return }
            attempts.remove(at: place)
        }
        attempts.append(attempt)
    }

    /// Forgets an attempt, or one of a lower epoch of the same stream.
    mutating func revoke(_ stream: StreamID, _ epoch: Epoch) {
        attempts.removeAll { $0.stream == stream && $0.epoch <= epoch }
    }

    /// Forgets the tokens before `through`, and the attempt where that covers its end; raises its limit.
    mutating func acknowledge(_ stream: StreamID, through: Int, limit: Int) {
        guard let place = attempts.firstIndex(where: { $0.stream == stream }) else { return }
        attempts[place].unacknowledged = max(attempts[place].unacknowledged, min(through, attempts[place].next))
        if attempts[place].hasEnded {
            if through >= attempts[place].next { attempts.remove(at: place) }
        } else {
            attempts[place].limit = max(attempts[place].limit, limit)
        }
    }

    /// Forgets every attempt that is not in the list.
    mutating func keep(only kept: [HeldAttempt]) {
        attempts.removeAll { attempt in
            !kept.contains { $0.stream == attempt.stream && $0.epoch == attempt.epoch }
        }
    }

    /// Tokens of a prompt that must be computed; the blocks that need not be are now the last ones to be dropped.
    mutating func uncachedTokens(of request: GenerationRequest, tokens: Int) -> Int {
        guard spec.cachedBlocks > 0 else { return tokens }
        let blocks = PrefixBlocks.names(of: request)
        var known = 0
        while known < blocks.count, cached.contains(blocks[known]) { known += 1 }
        for block in blocks[..<known].reversed() { touch(block) }
        return max(1, tokens - known * PrefixBlocks.blockBytes / 4)
    }

    /// Keeps the blocks of a prompt that is computed, and drops those that were used longest ago.
    ///
    /// Of a prompt the last blocks go first, so that what is kept is always a beginning.
    mutating func keepBlocks(of request: GenerationRequest) {
        guard spec.cachedBlocks > 0 else { return }
        for block in PrefixBlocks.names(of: request).reversed() where !touch(block) {
            cached.append(block)
            newBlocks.append(block)
        }
        while cached.count > spec.cachedBlocks {
            let oldest = cached.removeFirst()
            if let place = newBlocks.firstIndex(of: oldest) {
                newBlocks.remove(at: place)
            } else {
                evictedBlocks.append(oldest)
            }
        }
    }

    /// Makes a block the one that was used last.
    ///
    /// - Returns: Whether it is kept.
    @discardableResult
    private mutating func touch(_ block: UInt64) -> Bool {
        guard let place = cached.firstIndex(of: block) else { return false }
        cached.remove(at: place)
        cached.append(block)
        return true
    }
}
