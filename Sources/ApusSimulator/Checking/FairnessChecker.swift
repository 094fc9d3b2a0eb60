import ApusCore
import ApusModel

/// Clients that always have work waiting get the same work done, up to a bound.
///
/// Work is counted when a stream is first leased, with the most that it can be, and corrected when it ends; a failover counts
/// nothing. A virtual token counter keeps two backlogged clients within the largest charge of each other ("Fairness in Serving
/// Large Language Models", OSDI '24, lemma 4.3); what is under way in the slots is charged by an estimate, so that the work
/// itself may differ by one charge for each slot more.
struct FairnessChecker: Checker {
    static let name = "fairness within the counter's bound"

    /// Pairs grow with the square of the clients; those beyond are not looked at.
    static let clientLimit = 12

    var violation: Violation?

    private struct Stream {
        var share = -1
        var charge = 0
        var promptTokens = 0
        var isWaiting = false
        var isCharged = false
    }

    /// A client's share in one class of one model.
    private struct Share {
        let client: String
        let group: Int
        let weight: Int
        var waiting = 0
        var work = 0

        /// For each other share of the group: the difference of work since both have work waiting.
        var spans: [Span] = []
    }

    private struct Span {
        var isOpen = false
        var least = 0
        var most = 0
    }

    private let truth: Truth
    private let configuration: WorldConfiguration
    private let slots: Int
    private var streams: PerStream<Stream>
    private var shares: [Share] = []
    private var groups: [String] = []
    private var largestCharge = 1

    init(truth: Truth, configuration: WorldConfiguration) {
        self.truth = truth
        self.configuration = configuration
        slots = configuration.workers.reduce(0) { $0 + $1.slots }
        streams = PerStream(from: configuration.settings.firstStream, initial: Stream())
    }

    mutating func committed(tokens: [TokenColumns], records: [JournalRecord], at now: Timestamp) {
        for record in records {
            switch record {
            case .accepted(let accepted): self.accepted(accepted)
            case .leased(let lease): leased(lease, at: now)
            case .ended(let stream, let end, _): ended(stream, end)
            case .forgotten: break
            }
        }
    }

    mutating func coordinatorRecovered(
        _ machine: borrowing CoordinatorMachine,
        from journal: [SimulatedBatch],
        at now: Timestamp
    ) {
        // What was charged before is forgotten, and what ran before is not settled when it ends.
        for share in shares.indices { closeSpans(of: share) }
        for stream in streams.first..<streams.end { streams[stream].isCharged = false }
    }

    mutating func lost(_ loss: CoordinatorLoss, at now: Timestamp) {
        for accepted in loss.gone {
            for stream in accepted.streams {
                if streams[stream].isWaiting { leftLine(streams[stream].share) }
                streams[stream] = Stream()
            }
        }
    }

    private mutating func accepted(_ record: AcceptedRecord) {
        let place = JobSpec.place(of: record.request)
        guard truth.jobs.indices.contains(place) else { return }
        let client = name(of: record, place: place)
        let group = "\(record.request.model?.text ?? "") \(record.request.priority.rawValue)"
        guard let share = share(of: client, group: group) else { return }
        let promptTokens = record.request.prompt.utf8.count / 4 + 1
        let charge = promptTokens + record.request.maximumTokens
        let actualPrompt = max(promptTokens, truth.jobs[place].promptTokens)
        largestCharge = max(largestCharge, actualPrompt + record.request.maximumTokens)
        for stream in record.streams {
            streams[stream] = Stream(share: share, charge: charge, promptTokens: promptTokens, isWaiting: true)
            shares[share].waiting += 1
        }
    }

    /// Whose share a job is.
    ///
    /// It is not always that of the client that wants it: what comes from a connection after its loss is told has no name any
    /// more, and a second follower's submit makes the job where the first one's was lost. A name that no client says is a
    /// mistake, and changes nothing.
    private func name(of record: AcceptedRecord, place: Int) -> String {
        let isSaid =
            record.client == CoordinatorMachine.unnamed || configuration.clients.contains { $0.name == record.client }
        return isSaid ? record.client : configuration.clients[truth.jobs[place].client].name
    }

    private mutating func leased(_ lease: LeaseRecord, at now: Timestamp) {
        let stream = streams[lease.stream.rawValue]
        guard stream.isWaiting, stream.share >= 0 else { return }
        streams[lease.stream.rawValue].isWaiting = false
        streams[lease.stream.rawValue].isCharged = true
        let share = stream.share
        // Both had work waiting when this one was chosen, so that it counts although nothing more may wait now.
        openSpans(of: share)
        shares[share].work += stream.charge / shares[share].weight
        check(share, at: now)
        leftLine(share)
    }

    private mutating func ended(_ stream: StreamID, _ end: StreamEnd) {
        let state = streams[stream.rawValue]
        guard state.share >= 0 else { return }
        if state.isWaiting {
            streams[stream.rawValue].isWaiting = false
            leftLine(state.share)
        }
        guard state.isCharged else { return }
        streams[stream.rawValue].isCharged = false
        let promptTokens = end.usage.promptTokens > 0 ? end.usage.promptTokens : state.promptTokens
        let actual = promptTokens + end.usage.completionTokens
        shares[state.share].work += (actual - state.charge) / shares[state.share].weight
    }

    private mutating func share(of client: String, group name: String) -> Int? {
        let group = groups.firstIndex(of: name) ?? groups.count
        if group == groups.count { groups.append(name) }
        if let known = shares.firstIndex(where: { $0.client == client && $0.group == group }) { return known }
        guard shares.count < Self.clientLimit else { return nil }
        let weight = configuration.settings.share(of: client)
        shares.append(Share(client: client, group: group, weight: weight))
        for share in shares.indices {
            shares[share].spans += repeatElement(Span(), count: shares.count - shares[share].spans.count)
        }
        return shares.count - 1
    }

    private mutating func openSpans(of share: Int) {
        for other in shares.indices
        where other != share && shares[other].group == shares[share].group && shares[other].waiting > 0 {
            let (low, high) = (min(share, other), max(share, other))
            guard !shares[low].spans[high].isOpen else { continue }
            let difference = shares[low].work - shares[high].work
            shares[low].spans[high] = Span(isOpen: true, least: difference, most: difference)
        }
    }

    private mutating func closeSpans(of share: Int) {
        for other in shares.indices where other != share {
            shares[min(share, other)].spans[max(share, other)].isOpen = false
        }
    }

    private mutating func leftLine(_ share: Int) {
        shares[share].waiting -= 1
        if shares[share].waiting == 0 { closeSpans(of: share) }
    }

    private mutating func check(_ share: Int, at now: Timestamp) {
        let bound = largestCharge * (slots + 2)
        for other in shares.indices where other != share && shares[other].group == shares[share].group {
            let (low, high) = (min(share, other), max(share, other))
            var span = shares[low].spans[high]
            guard span.isOpen else { continue }
            let difference = shares[low].work - shares[high].work
            span.least = min(span.least, difference)
            span.most = max(span.most, difference)
            shares[low].spans[high] = span
            guard span.most - span.least > bound else { continue }
            let more = difference == span.most ? low : high
            broken(
                at: now,
                "client \(shares[more].client) got \(span.most - span.least) tokens of work more than client "
                    + "\(shares[low + high - more].client), which waited all the time; at most \(bound) are allowed"
            )
        }
    }
}
