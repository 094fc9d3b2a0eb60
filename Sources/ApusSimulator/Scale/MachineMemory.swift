import ApusCore
import ApusModel

/// Coordinators' machines alone, without a world around them, to measure what they keep.
///
/// The machines are those of a `ScaleWorld` at its fullest: every worker registered, every stream submitted, leased and followed
/// by its client, no token accepted yet. Requests are made anew for each machine, as they come off a wire, so that their texts
/// count. What is small is built many times over, so that a process's resident memory shows it.
public struct MachineMemory {
    /// Streams that are built at least, over all machines.
    private static let least = 100_000

    /// How many machines there are.
    public let machines: Int

    /// Workers of each machine.
    public let workers: Int

    /// Streams of each machine.
    public let streams: Int

    /// Bytes by which the process grew for each worker.
    public private(set) var bytesPerWorker = 0

    /// Bytes by which it grew for each stream.
    public private(set) var bytesPerStream = 0

    private var kept: [CoordinatorMachine] = []

    /// Builds the machines and keeps them, so that the next measurement doesn't find memory that is free again.
    ///
    /// - Parameters:
    ///   - world: Whose workers and streams they have.
    ///   - resident: The bytes of the process that are in memory now.
    public init(_ world: ScaleWorld, resident: () -> Int) {
        machines = max(1, Self.least / world.streams)
        workers = world.workers
        streams = world.streams
        let configuration = world.configuration()
        kept.reserveCapacity(machines)
        let empty = resident()
        for _ in 0..<machines { kept.append(Self.registered(configuration)) }
        let registered = resident()
        for place in kept.indices { Self.submit(configuration, to: &kept[place]) }
        let full = resident()
        bytesPerWorker = (registered - empty) / (machines * workers)
        bytesPerStream = (full - registered) / (machines * streams)
    }

    /// Streams that run on all machines.
    public var running: Int { kept.reduce(0) { $0 + $1.counters.active } }

    private static func registered(_ configuration: WorldConfiguration) -> CoordinatorMachine {
        var machine = CoordinatorMachine(settings: configuration.settings)
        var turn = Turn()
        for (place, spec) in configuration.workers.enumerated() {
            let registration = WorkerRegistration(
                name: spec.name,
                incarnation: Incarnation(rawValue: UInt64(place)),
                model: spec.model,
                slots: spec.slots,
                contextTokens: spec.contextTokens,
                fingerprint: spec.fingerprint,
                exactness: spec.exactness,
                engine: "simulated",
                processID: 1,
                host: "simulated"
            )
            machine.registered(
                registration,
                held: [],
                from: WorkerPeer(rawValue: UInt64(place)),
                at: .zero,
                into: &turn
            )
            turn.reset()
        }
        return machine
    }

    private static func submit(_ configuration: WorldConfiguration, to machine: inout CoordinatorMachine) {
        var turn = Turn()
        for (place, client) in configuration.clients.enumerated() {
            _ = machine.clientJoined(ClientPeer(rawValue: UInt64(place)), name: client.name)
        }
        for (place, job) in configuration.jobs.enumerated() {
            var request = job.request
            request.prompt = String(decoding: Array(job.request.prompt.utf8), as: UTF8.self)
            machine.submitted(
                by: ClientPeer(rawValue: UInt64(job.client)),
                number: UInt64(place),
                key: job.key,
                request: request,
                credit: configuration.clients[job.client].window,
                at: .zero,
                into: &turn
            )
            machine.turnEnded(at: .zero, into: &turn)
            turn.reset()
        }
    }
}
