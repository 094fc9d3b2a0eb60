import ApusModel

/// What a class knows of one client: its waiting streams and what it was charged.
struct ClientShare: Sendable {
    let client: ClientKey
    var counter = VirtualCounter()
    var line = SortedLine<WaitingStream>()

    /// Streams that were taken and are not settled.
    var inFlight = 0

    /// What orders it among the clients of its class.
    var rank: Rank { Rank(counter: counter.value, client: client) }

    /// A client's counter; ties go to the smaller key.
    struct Rank: Comparable, Sendable {
        let counter: UInt64
        let client: ClientKey

        static func < (left: Rank, right: Rank) -> Bool {
            (left.counter, left.client) < (right.counter, right.client)
        }
    }
}
