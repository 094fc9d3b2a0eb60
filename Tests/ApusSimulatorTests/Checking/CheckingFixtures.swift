import ApusCore
import ApusModel

@testable import ApusSimulator

/// A small world and its messages, for tests that tell a checker what happens by hand.
enum Fixture {
    static let fingerprint = Fingerprint(high: 1, low: 7)
    static let other = Fingerprint(high: 2, low: 7)
    static let seed: UInt64 = 42
    static let client = ClientLife(client: 0, life: 0)
    static let peer = ClientPeer(rawValue: 1)
    static let worker = WorkerPeer(rawValue: 1)
    static let stream = StreamID(rawValue: 1)
    static let job = JobID(rawValue: 9)
    static let now = Timestamp(nanoseconds: 1_000_000)

    static var request: GenerationRequest {
        var request = GenerationRequest(prompt: "p", maximumTokens: 8, deadline: .seconds(1))
        request.sampling.seed = seed
        request.sampling.topK = 1
        return request
    }

    static var configuration: WorldConfiguration {
        var world = WorldConfiguration(seed: 1)
        world.workers = [
            WorkerSpec(
                name: WorkerName(unchecked: "w0"),
                model: ModelName(unchecked: "m"),
                slots: 1,
                fingerprint: fingerprint,
                stepTime: 1,
                streamTime: 1,
                prefillTime: 1,
                burst: 4
            )
        ]
        world.clients = [ClientSpec(name: "a", window: 8), ClientSpec(name: "b", window: 8)]
        world.jobs = (0..<8).map { place in
            var request = request
            request.sampling.topK = place + 1
            return JobSpec(
                client: place % 2,
                key: "k\(place)",
                request: request,
                submittedAt: 0,
                naturalLength: 4,
                promptTokens: 1,
                poisonedIndex: place == 0 ? 2 : nil
            )
        }
        return world
    }

    static var truth: Truth { Truth(jobs: configuration.jobs) }

    /// A row of the stream's true tokens.
    static func tokens(
        _ range: Range<Int>,
        epoch: UInt32 = 1,
        of stream: UInt64 = 1,
        numerics: Fingerprint = fingerprint
    ) -> TokenColumns {
        var columns = TokenColumns()
        columns.streams = [stream]
        columns.epochs = [epoch]
        columns.firstIndexes = [UInt64(range.lowerBound)]
        columns.counts = [UInt32(range.count)]
        for index in range {
            let token = Truth.token(seed: seed, index: index, numerics: Truth.numerics(of: numerics))
            columns.ids.append(token)
            columns.textLengths.append(UInt32(Truth.textLength(of: token)))
            Truth.appendText(of: token, to: &columns.text)
        }
        return columns
    }

    static func accepted(
        _ stream: UInt64 = 1,
        place: Int = 0,
        client: String = "",
        choices: Int = 1
    ) -> JournalRecord {
        var request = request
        request.choices = choices
        request.sampling.topK = place + 1
        return .accepted(
            AcceptedRecord(
                job: JobID(rawValue: stream + 8),
                stream: StreamID(rawValue: stream),
                key: "k\(place)",
                client: client,
                request: request,
                choseSeed: false,
                acceptedAt: .zero
            )
        )
    }

    static func leased(
        _ stream: UInt64 = 1,
        epoch: UInt32 = 1,
        losses: Int = 0,
        isHedge: Bool = false,
        fingerprint: Fingerprint = fingerprint,
        at moment: Timestamp = .zero
    ) -> JournalRecord {
        .leased(
            LeaseRecord(
                stream: StreamID(rawValue: stream),
                epoch: Epoch(rawValue: epoch),
                worker: WorkerName(unchecked: "w0"),
                model: ModelName(unchecked: "m"),
                fingerprint: fingerprint,
                exactness: .exact,
                contextTokens: 1_024,
                losses: losses,
                isHedge: isHedge,
                leasedAt: moment
            )
        )
    }

    static func end(_ reason: FinishReason = .stop, tokens: Int = 4, attempts: Int = 1) -> StreamEnd {
        StreamEnd(reason: reason, usage: Usage(completionTokens: tokens), attempts: attempts)
    }

    static func ended(_ end: StreamEnd = end(), stream: UInt64 = 1, at moment: Timestamp = .zero) -> JournalRecord {
        .ended(StreamID(rawValue: stream), end, at: moment)
    }

    static func register() -> WorkerReport {
        let spec = configuration.workers[0]
        return .register(
            WorkerRegistration(
                name: spec.name,
                incarnation: Incarnation(rawValue: 1),
                model: spec.model,
                slots: spec.slots,
                contextTokens: 1_024,
                fingerprint: fingerprint,
                exactness: .exact,
                engine: "simulated",
                processID: 1,
                host: "h"
            ),
            held: []
        )
    }

    static func step(_ tokens: TokenColumns = TokenColumns(), ends: [AttemptEnd] = []) -> WorkerReport {
        .step(Shared(StepReport(progress: 1, isBusy: true, tokens: tokens, ends: ends)))
    }

    static func accept(
        number: UInt64 = 1,
        stream: UInt64 = 1,
        seed: UInt64 = seed,
        choices: Int = 1
    ) -> ClientMessage {
        let job = JobID(rawValue: stream + 8)
        return .accepted(number: number, job: job, stream: StreamID(rawValue: stream), seed: seed, choices: choices)
    }

    static func submit(number: UInt64 = 1, credit: Int = 8) -> ClientRequest {
        .submit(number: number, key: "k0", request, credit: credit)
    }

    static func assign(epoch: UInt32 = 1, stream: UInt64 = 1, history: Int = 0, limit: Int = 8) -> WorkerMessage {
        .assign(
            StreamID(rawValue: stream),
            Epoch(rawValue: epoch),
            request,
            history: tokens(0..<history).ids,
            limit: limit
        )
    }
}
