import ApusModel

/// Decides whether another stream may wait, and keeps the sums that this depends on: work and streams that wait, of
/// each client and together.
///
/// A client may have as much waiting as room is left, in work and in streams ("Dynamic Queue Length Thresholds for
/// Shared-Memory Packet Switches", Choudhury and Hahne, 1998): alone it gets half of the bound, two get a third each, n
/// get 1/(n + 1) each. There is always room for a client that comes, and nobody has to know how many there are. A
/// job of several streams is taken whole; one that is more than half of the bound is taken where it fits and nothing of
/// its client waits. What was accepted is never shed: failovers wait beyond the bounds.
struct Admission: Sendable {
    /// What waits, of one client or of all.
    private struct Waiting: Sendable {
        var work = 0
        var streams = 0

        mutating func add(work added: Int) {
            work += added
            streams += 1
        }
    }

    private let limits: AdmissionLimits
    private var total = Waiting()
    private var clients: [ClientKey: Waiting] = [:]
    private var rate = ServiceRate()

    /// Nothing waits.
    init(limits: AdmissionLimits) {
        self.limits = limits
    }

    /// Token work that waits.
    var work: Int { total.work }

    /// Streams that wait.
    var streams: Int { total.streams }

    /// Clients with streams that wait.
    var clientCount: Int { clients.count }

    /// Token work of a client that waits.
    func work(of client: ClientKey) -> Int { clients[client]?.work ?? 0 }

    /// Streams of a client that wait.
    func streams(of client: ClientKey) -> Int { clients[client]?.streams ?? 0 }

    /// Why streams of a client may not wait, or `nil` if they may.
    ///
    /// - Parameters:
    ///   - client: Who asks.
    ///   - work: The token work of all the streams together.
    ///   - streams: Their number.
    /// - Returns: `overloaded`, with the time that the work in the queue takes at the measured rate.
    func refusal(for client: ClientKey, work: Int, streams: Int = 1) -> ApusError? {
        let roomForWork = limits.work - total.work - work
        let roomForStreams = limits.streams - total.streams - streams
        if roomForWork < 0 || roomForStreams < 0 {
            return refusal("the queue is full: \(total.streams) streams wait with \(total.work) tokens of work")
        }
        let own = clients[client] ?? Waiting()
        // A job of several streams comes whole or not at all: one that is more than a share even of an empty queue would wait for
        // ever.
        let isLarge = streams > 1 && (streams > limits.streams / 2 || work > limits.work / 2)
        if isLarge, own.streams == 0 { return nil }
        if own.work + work > roomForWork || own.streams + streams > roomForStreams {
            return refusal(
                "this client's share of the queue is full: \(own.streams) streams wait with \(own.work) tokens of work"
            )
        }
        return nil
    }

    /// Notes that a stream waits.
    mutating func inserted(_ stream: WaitingStream) {
        total.add(work: stream.work)
        clients[stream.client, default: Waiting()].add(work: stream.work)
    }

    /// Notes that a stream that waited was taken or has ended.
    mutating func removed(_ stream: WaitingStream) {
        guard var own = clients[stream.client] else { preconditionFailure("the stream does not wait") }
        own.work -= stream.work
        own.streams -= 1
        precondition(own.streams > 0 ? own.work >= 0 : own.work == 0, "a stream's work changed while it waits")
        clients[stream.client] = own.streams > 0 ? own : nil
        total.work -= stream.work
        total.streams -= 1
    }

    /// Notes tokens that the workers computed, of prompts and of outputs: the rate at which the queue moves.
    mutating func served(tokens: Int, at now: Timestamp) {
        rate.served(tokens: tokens, at: now)
    }

    private func refusal(_ message: String) -> ApusError {
        let wait = rate.duration(of: total.work) ?? limits.unmeasuredRetry
        return ApusError(
            .overloaded,
            message,
            retryAfter: min(max(wait, limits.shortestRetry), limits.longestRetry)
        )
    }
}
