import ApusCore
import ApusModel
import ApusProtocol
import Foundation
import Testing

@testable import ApusCoordinator

/// Workers that say anything that can be said on the wire: the machine behind it neither traps nor forgets a stream.
@Suite struct HostileWorkerTests {
    @Test(arguments: [1, 2, 3, 4] as [UInt64]) func `Whatever workers say, every job ends once`(seed: UInt64) throws {
        var world = HostileWorld(seed: seed)
        for _ in 0..<5_000 { try world.act() }
        let counters = world.machine.counters
        #expect(counters.violations > 0)
        #expect(counters.stale > 0)
        #expect(world.ended > 0)
        // Silence ends what is left: with no worker there is only the deadline.
        world.pass(HostileWorld.deadline + .seconds(1))
        #expect(world.machine.counters.active == 0)
        #expect(world.machine.counters.queued == 0)
        #expect(world.ended == world.accepted)
    }

    @Test func `A worker that claims a prompt beyond all numbers and fails is survived`() throws {
        var world = HostileWorld(seed: 0)
        try world.register(1, slots: 1, contextTokens: .max)
        world.submit()
        var step = Apus_V1_Step()
        step.progress = .max
        step.busy = true
        step.load.prefilledTokens = .max
        step.tokens = world.row(stream: 1, epoch: 1, first: 0, count: 1)
        var end = Apus_V1_AttemptEnd()
        end.stream = 1
        end.epoch = 1
        end.reason = "failed"
        end.errorCode = ApusError.Code.engineFailure.rawValue
        end.promptTokens = .max
        end.endIndex = .max
        step.ends = [end]
        try world.send(step, from: 1)
        // It goes on at the same worker, the only one there is.
        #expect(world.machine.counters.active == 1)
        #expect(world.machine.counters.failovers == 1)
    }
}

/// A machine, one client and four workers that have no shame.
private struct HostileWorld {
    private static let extremes: [UInt64] = [
        0, 1, 2, 3, 7, 500, 1 << 20, 1 << 31, 1 << 32, 1 << 53, 1 << 63, .max - 1, .max,
    ]
    static let deadline: Duration = .seconds(20)
    private static let client = ClientPeer(rawValue: 1)

    var machine = CoordinatorMachine(settings: CoordinatorSettings(secret: 7))
    private(set) var accepted = 0
    private(set) var ended = 0
    private var turn = Turn()
    private var now = Timestamp(nanoseconds: 1)
    private var generator: UInt64
    /// The attempts that a worker was given, so that some lies are near the truth.
    private var assigned: [UInt64: [(stream: UInt64, epoch: UInt32)]] = [:]

    init(seed: UInt64) {
        generator = seed
        _ = machine.clientJoined(Self.client, name: "test")
    }

    /// A number below a bound (SplitMix64).
    private mutating func random(_ bound: Int) -> Int {
        generator &+= 0x9e37_79b9_7f4a_7c15
        var mixed = (generator ^ (generator >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return Int((mixed ^ (mixed >> 31)) % UInt64(bound))
    }

    private mutating func extreme() -> UInt64 { Self.extremes[random(Self.extremes.count)] }

    private mutating func any<Element>(_ elements: [Element]) -> Element { elements[random(elements.count)] }

    mutating func act() throws {
        let worker = UInt64(1 + random(4))
        switch random(40) {
        case 0...2: try register(worker, slots: any([1, 2, 16, 0, .max]), contextTokens: extreme())
        case 3: tell { $0.workerUnreachable(WorkerPeer(rawValue: worker), at: $1, into: &$2) }
        case 4...9: if machine.counters.queued < 50 { submit() }
        case 10: pass(.milliseconds(random(700)))
        default: try send(step(of: worker), from: worker)
        }
    }

    mutating func register(_ worker: UInt64, slots: UInt32, contextTokens: UInt64) throws {
        var wire = Apus_V1_Register()
        wire.name = "w\(worker)"
        wire.incarnation = UInt64(random(2))
        wire.model = "m"
        wire.slots = slots
        wire.contextTokens = contextTokens
        wire.fingerprint = Fingerprint(high: 0, low: UInt64(random(2))).bytes
        wire.exactness = any(["exact", "consistent", "nonsense"])
        wire.held = (assigned[worker] ?? []).prefix(random(5)).map { attempt in
            var held = Apus_V1_Held()
            held.stream = attempt.stream
            held.epoch = attempt.epoch
            held.nextIndex = extreme()
            return held
        }
        let (registration, held) = try WorkerRegistration.read(wire)
        tell { $0.registered(registration, held: held, from: WorkerPeer(rawValue: worker), at: $1, into: &$2) }
    }

    mutating func submit() {
        let request = GenerationRequest(
            prompt: String(repeating: "p", count: 1 + random(2_000)),
            maximumTokens: 20,
            deadline: Self.deadline,
            choices: any([1, 1, 1, Limits.choices])
        )
        let key = "k\(now.nanoseconds)"
        tell { machine, now, turn in
            machine.submitted(
                by: Self.client,
                number: 1,
                key: key,
                request: request,
                credit: 1_000,
                at: now,
                into: &turn
            )
        }
    }

    mutating func send(_ step: Apus_V1_Step, from worker: UInt64) throws {
        let report = try StepReport(step)
        tell { $0.stepReceived(report, from: WorkerPeer(rawValue: worker), at: $1, into: &$2) }
    }

    /// Time passes, and the machine looks at it often enough not to think that it stood still itself.
    mutating func pass(_ time: Duration) {
        let end = now + time
        while now < end {
            now = now + .milliseconds(25)
            tell { $0.ticked(at: $1, into: &$2) }
        }
    }

    func row(stream: UInt64, epoch: UInt32, first: UInt64, count: Int) -> Apus_V1_TokenColumns {
        var columns = Apus_V1_TokenColumns()
        columns.streams = [stream]
        columns.epochs = [epoch]
        columns.firstIndexes = [first]
        columns.counts = [UInt32(count)]
        columns.ids = Array(repeating: .max, count: count)
        columns.textLengths = Array(repeating: 1, count: count)
        columns.text = Data(repeating: 97, count: count)
        return columns
    }

    private mutating func step(of worker: UInt64) -> Apus_V1_Step {
        var step = Apus_V1_Step()
        step.progress = extreme()
        step.busy = random(3) > 0
        step.load.active = UInt32(truncatingIfNeeded: extreme())
        step.load.batchSize = UInt32(truncatingIfNeeded: extreme())
        step.load.batchLimit = UInt32(truncatingIfNeeded: extreme())
        step.load.stepUs = extreme()
        step.load.memoryBytes = extreme()
        step.load.prefilledTokens = extreme()
        step.load.refusing = random(8) == 0
        step.cachedBlocks = (0..<random(4)).map { _ in extreme() }
        step.evictedBlocks = (0..<random(4)).map { _ in extreme() }
        let attempts = assigned[worker] ?? []
        guard !attempts.isEmpty else { return step }
        let attempt = attempts[max(0, attempts.count - 1 - random(3))]
        if random(2) == 0 {
            let first = any([0, 0, 1, 5, UInt64(Limits.maximumTokens)])
            step.tokens = row(stream: attempt.stream, epoch: attempt.epoch, first: first, count: 1 + random(8))
        }
        if random(4) == 0 {
            var end = Apus_V1_AttemptEnd()
            end.stream = random(10) == 0 ? extreme() : attempt.stream
            end.epoch = random(10) == 0 ? .max : attempt.epoch
            end.reason = any(["stop", "length", "failed", "expired", "nonsense"])
            end.errorCode = any(["", "engine_failure", "prompt_too_long", "shutting_down", "overloaded", "nonsense"])
            end.promptTokens = extreme()
            if random(2) == 0 { end.endIndex = extreme() }
            if random(2) == 0 {
                end.summary.tokens = extreme()
                end.summary.errors = UInt32(truncatingIfNeeded: extreme())
                end.summary.recovered = UInt32(truncatingIfNeeded: extreme())
                end.summary.drafted = extreme()
            }
            step.ends = [end]
        }
        if random(3) == 0 {
            var first = Apus_V1_FirstToken()
            first.stream = attempt.stream
            first.epoch = random(10) == 0 ? .max : attempt.epoch
            first.prefillUs = extreme()
            first.promptTokens = extreme()
            step.firstTokens = [first, first]
        }
        return step
    }

    /// Tells a fact, ends the turn and takes note of what it decided.
    private mutating func tell(_ fact: (inout CoordinatorMachine, Timestamp, inout Turn) -> Void) {
        now = now + .microseconds(100)
        machine.turnBegan(at: now)
        fact(&machine, now, &turn)
        machine.turnEnded(at: now, into: &turn)
        for record in turn.records {
            switch record {
            case .accepted(let record): accepted += record.streams.count
            case .ended: ended += 1
            default: break
            }
        }
        for effect in turn.effects {
            guard case .assign(let peer, let stream, let epoch, _, _, _) = effect else { continue }
            assigned[peer.rawValue, default: []].append((stream.rawValue, epoch.rawValue))
        }
        turn.reset()
    }
}
