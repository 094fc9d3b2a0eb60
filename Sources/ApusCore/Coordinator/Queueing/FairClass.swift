import ApusModel

/// The clients of one priority class with the streams of theirs that wait: the client that was charged least is next.
///
/// This is the virtual token counter (Sheng et al., "Fairness in Serving Large Language Models", OSDI 2024), charged
/// with the expected work at dispatch and settled with the true work at the end. Between two clients that always have
/// work waiting, the charges differ by at most the largest single one, and by the corrections of streams in flight.
///
/// A client that returns is lifted to the virtual time, which is the counter of the client that was taken last as it
/// was before the charge (Goyal et al., "Start-time Fair Queuing", SIGCOMM 1996). It is at most one charge behind the
/// least counter of those that wait, and, unlike that one, takes nothing from a client whose only stream was taken a
/// moment ago.
///
/// A client is kept while it has streams that wait or are in flight, then until its counter is not above the virtual
/// time: its return would lift it anyway.
struct FairClass: Sendable {
    /// Clients that may be kept only for what they were charged; above it the one that was charged least is forgotten.
    ///
    /// To come above the virtual time and then rest, a client must have been served more than its share a moment ago,
    /// so that as many at a time are rare.
    static let restingClients = 4_096

    /// The table; what stands at a vacant place has no meaning.
    private var shares: [ClientShare] = []
    private var places: [ClientKey: Int] = [:]
    private var vacant: [Int] = []

    /// Places of the clients with waiting streams.
    private var waiting = PlaceHeap<ClientShare.Rank>()

    /// Places of the clients that have no stream and are above the virtual time.
    private var resting = PlaceHeap<ClientShare.Rank>()

    /// What a client that returns is lifted to; see `FairClass`.
    private var virtualTime: UInt64 = 0

    /// The largest charge of a single stream so far.
    private(set) var largestCharge: UInt64 = 0

    /// Whether no stream waits.
    var isEmpty: Bool { waiting.count == 0 }

    /// Clients that are known.
    var clients: Int { places.count }

    /// The stream that is next.
    var first: WaitingStream? { waiting.first.flatMap { shares[$0].line.first } }

    /// What a client was charged, or `nil` for one that is forgotten.
    func counter(of client: ClientKey) -> UInt64? { places[client].map { shares[$0].counter.value } }

    /// Lets a stream wait; a client that had none is lifted to the virtual time.
    mutating func insert(_ stream: WaitingStream) {
        let place = place(of: stream.client)
        if shares[place].line.isEmpty {
            shares[place].counter.lift(to: virtualTime)
            resting.remove(place)
            waiting.set(place, to: shares[place].rank)
        }
        shares[place].line.insert(stream)
    }

    /// Takes out the next stream and charges its client for it.
    mutating func takeFirst() -> WaitingStream? {
        guard let place = waiting.first, let stream = shares[place].line.popFirst() else { return nil }
        virtualTime = shares[place].counter.value
        largestCharge = max(largestCharge, shares[place].counter.charge(work: stream.work, weight: stream.weight))
        shares[place].inFlight += 1
        moved(place)
        forget()
        return stream
    }

    /// Takes out a stream that ended while it waits, without a charge.
    mutating func remove(_ stream: WaitingStream) -> WaitingStream {
        guard let place = places[stream.client] else { preconditionFailure("the stream does not wait") }
        let removed = shares[place].line.remove(stream)
        if shares[place].line.isEmpty {
            moved(place)
            forget()
        }
        return removed
    }

    /// Corrects the charge of a stream that was taken and has ended.
    ///
    /// A client that is unknown, because this coordinator did not charge it, owes only what its stream took beyond the
    /// prediction.
    mutating func settle(client: ClientKey, weight: Int, predicted: Int, actual: Int) {
        guard places[client] != nil || actual > predicted else { return }
        let place = place(of: client)
        let least = waiting.firstRank?.counter
        shares[place].counter.settle(predicted: predicted, actual: actual, weight: weight)
        if shares[place].inFlight > 0 { shares[place].inFlight -= 1 }
        moved(place)
        virtualTime = VirtualCounter.shifted(virtualTime, as: least, movedTo: waiting.firstRank?.counter)
        forget()
    }

    /// Puts a client to where it belongs after its counter or its number of streams changed.
    private mutating func moved(_ place: Int) {
        if !shares[place].line.isEmpty {
            waiting.set(place, to: shares[place].rank)
        } else {
            waiting.remove(place)
            if shares[place].inFlight == 0 { resting.set(place, to: shares[place].rank) }
        }
    }

    /// Forgets resting clients that a return would lift, and those beyond the bound.
    private mutating func forget() {
        while let place = resting.first,
            shares[place].counter.value <= virtualTime || resting.count > Self.restingClients
        {
            resting.remove(place)
            places[shares[place].client] = nil
            vacant.append(place)
        }
    }

    /// The place of a client; one that is unknown begins at the virtual time.
    private mutating func place(of client: ClientKey) -> Int {
        if let place = places[client] { return place }
        var share = ClientShare(client: client)
        share.counter.lift(to: virtualTime)
        let place = vacant.popLast() ?? shares.count
        if place < shares.count { shares[place] = share } else { shares.append(share) }
        places[client] = place
        return place
    }
}
