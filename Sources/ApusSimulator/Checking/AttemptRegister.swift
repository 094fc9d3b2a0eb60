import ApusCore
import ApusModel

/// Which attempts of each stream may bring tokens, as the journal says: the last one, and an earlier one beside which a hedge
/// runs.
struct AttemptRegister {
    /// An attempt; 0 for none.
    struct Attempt: Hashable {
        var epoch: UInt32 = 0

        /// The number that `number(of:)` gives its worker.
        var worker = -1
    }

    /// The attempts of a stream that may bring tokens now.
    struct State {
        var accepting = Attempt()
        var hedge = Attempt()

        /// The highest epoch so far.
        var last: UInt32 = 0
    }

    private(set) var streams: PerStream<State>
    private var numbers: [WorkerName: Int] = [:]

    init(configuration: WorldConfiguration) {
        streams = PerStream(from: configuration.settings.firstStream, initial: State())
    }

    /// A small number for a worker's name.
    mutating func number(of worker: WorkerName) -> Int {
        if let number = numbers[worker] { return number }
        numbers[worker] = numbers.count
        return numbers.count - 1
    }

    /// An attempt is durable.
    mutating func leased(_ lease: LeaseRecord) {
        let attempt = Attempt(epoch: lease.epoch.rawValue, worker: number(of: lease.worker))
        let stream = lease.stream.rawValue
        streams[stream].last = max(streams[stream].last, attempt.epoch)
        if lease.isHedge {
            streams[stream].hedge = attempt
        } else {
            streams[stream].accepting = attempt
            streams[stream].hedge = Attempt()
        }
    }

    /// A row of a hedge is durable: the attempt beside it is fenced from now on.
    mutating func overtook(_ stream: UInt64) {
        streams[stream].accepting = streams[stream].hedge
        streams[stream].hedge = Attempt()
    }
}
