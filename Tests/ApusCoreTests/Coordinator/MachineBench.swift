import ApusCore
import ApusModel

/// A coordinator's machine with a clock that tests move, and the effects of its last turn.
struct MachineBench {
    var machine: CoordinatorMachine
    var turn = Turn()
    var now = Timestamp(nanoseconds: 1_000_000_000)

    static let client = ClientPeer(rawValue: 1)
    static let model = ModelName(unchecked: "m")
    static let fingerprint = Fingerprint(high: 1, low: 1)

    init(_ adjust: (inout CoordinatorSettings) -> Void = { _ in }) {
        var settings = CoordinatorSettings(secret: 42)
        adjust(&settings)
        machine = CoordinatorMachine(settings: settings)
        machine.turnBegan(at: now)
        _ = machine.clientJoined(Self.client, name: "test")
        machine.ticked(at: now, into: &turn)
    }

    /// Tells facts, ends the turn and returns what is to be sent.
    @discardableResult
    mutating func tell(_ facts: (inout CoordinatorMachine, Timestamp, inout Turn) -> Void) -> [Effect] {
        turn.reset()
        machine.turnBegan(at: now)
        facts(&machine, now, &turn)
        machine.turnEnded(at: now, into: &turn)
        return turn.effects
    }

    /// Lets time pass in ticks of the usual length.
    @discardableResult
    mutating func pass(_ duration: Duration, beating: [WorkerPeer] = []) -> [Effect] {
        var effects: [Effect] = []
        let end = now + duration
        while now < end {
            now = now + .milliseconds(25)
            effects += tell { machine, now, turn in
                for peer in beating {
                    machine.stepReceived(.init(progress: 0, isBusy: false), from: peer, at: now, into: &turn)
                }
                machine.ticked(at: now, into: &turn)
            }
        }
        return effects
    }

    /// A worker's connection is gone; then time passes, in which all others beat, until what was held back goes on.
    mutating func lose(_ worker: UInt64, beating workers: Range<UInt64>) -> [Effect] {
        let effects = tell { $0.workerUnreachable(Self.peer(worker), at: $1, into: &$2) }
        let connected = machine.connectedWorkers
        return effects + pass(.milliseconds(600), beating: workers.map(Self.peer).filter(connected.contains))
    }

    static func peer(_ number: UInt64) -> WorkerPeer { WorkerPeer(rawValue: number) }

    @discardableResult
    mutating func register(
        _ number: UInt64,
        name: String? = nil,
        incarnation: UInt64? = nil,
        model: ModelName = Self.model,
        slots: Int = 4,
        context: Int = 1_000,
        fingerprint: Fingerprint = Self.fingerprint,
        exactness: ExactnessClass = .exact,
        held: [HeldAttempt] = []
    ) -> [Effect] {
        tell { machine, now, turn in
            machine.registered(
                WorkerRegistration(
                    name: WorkerName(unchecked: name ?? "w\(number)"),
                    incarnation: Incarnation(rawValue: incarnation ?? number),
                    model: model,
                    slots: slots,
                    contextTokens: context,
                    fingerprint: fingerprint,
                    exactness: exactness,
                    engine: "simulated",
                    processID: 1,
                    host: "host"
                ),
                held: held,
                from: Self.peer(number),
                at: now,
                into: &turn
            )
        }
    }

    @discardableResult
    mutating func submit(
        _ key: String = "k",
        number: UInt64 = 1,
        by client: ClientPeer = Self.client,
        request: GenerationRequest = GenerationRequest(prompt: "p", maximumTokens: 100),
        credit: Int = 1_000
    ) -> [Effect] {
        tell { machine, now, turn in
            machine.submitted(
                by: client,
                number: number,
                key: key,
                request: request,
                credit: credit,
                at: now,
                into: &turn
            )
        }
    }

    /// A worker sends tokens of one stream, the index as text, and perhaps its end.
    @discardableResult
    mutating func step(
        _ number: UInt64,
        _ stream: UInt64,
        epoch: UInt32 = 1,
        _ indexes: Range<Int>,
        end: FinishReason? = nil,
        error: ApusError? = nil
    ) -> [Effect] {
        tell { machine, now, turn in
            machine.stepReceived(
                Self.report(stream, epoch: epoch, indexes, end: end, error: error),
                from: Self.peer(number),
                at: now,
                into: &turn
            )
        }
    }

    static func report(
        _ stream: UInt64,
        epoch: UInt32,
        _ indexes: Range<Int>,
        end: FinishReason? = nil,
        error: ApusError? = nil
    ) -> StepReport {
        var columns = TokenColumns()
        if !indexes.isEmpty {
            columns.streams = [stream]
            columns.epochs = [epoch]
            columns.firstIndexes = [UInt64(indexes.lowerBound)]
            columns.counts = [UInt32(indexes.count)]
            for index in indexes {
                let text = Array("<\(index)>".utf8)
                columns.ids.append(Int32(index))
                columns.textLengths.append(UInt32(text.count))
                columns.text += text
            }
        }
        let ends = end.map {
            [
                AttemptEnd(
                    stream: StreamID(rawValue: stream),
                    epoch: Epoch(rawValue: epoch),
                    reason: $0,
                    error: error,
                    promptTokens: 7
                )
            ]
        }
        return StepReport(progress: 1, isBusy: true, tokens: columns, ends: ends ?? [])
    }

    /// The indexes that a client was sent directly in the last turn, by stream.
    func sent(to client: ClientPeer = Self.client) -> [UInt64: [Range<Int>]] {
        var sent: [UInt64: [Range<Int>]] = [:]
        for entry in turn.clients where entry.peer == client {
            let columns = turn.outgoing[entry.place]
            for row in 0..<columns.rows {
                let first = Int(columns.firstIndexes[row])
                sent[columns.streams[row], default: []].append(first..<first + Int(columns.counts[row]))
            }
        }
        return sent
    }
}

extension [Effect] {
    /// The assignments: worker, stream, epoch and next index.
    var assignments: [[UInt64]] {
        compactMap { effect in
            guard case .assign(let peer, let stream, let epoch, _, let next, _) = effect else { return nil }
            return [peer.rawValue, stream.rawValue, UInt64(epoch.rawValue), UInt64(next)]
        }
    }

    var ends: [StreamEnd] {
        compactMap { effect in if case .finish(_, _, _, let end) = effect { end } else { nil } }
    }

    var rejections: [ApusError.Code] {
        compactMap { effect in if case .reject(_, _, let error) = effect { error.code } else { nil } }
    }

    var job: JobID? {
        for case .accept(_, _, let job, _, _, _) in self { return job }
        return nil
    }

    var replays: [Range<Int>] {
        compactMap { effect in
            if case .replay(_, _, let from, let count) = effect { from..<from + count } else { nil }
        }
    }
}
