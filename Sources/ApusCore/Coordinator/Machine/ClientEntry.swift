import ApusModel

/// All that the coordinator knows of a connected client.
struct ClientEntry: Sendable {
    let peer: ClientPeer
    var name: String

    /// The key of its name: clients of one name share one share of the workers.
    var key: ClientKey { ClientKey(name: name) }

    /// The streams that it follows.
    var following: Set<StreamID> = []

    /// Whether its connection takes no more for now; it then gets tokens later, from the journal.
    var isBlocked = false

    /// The streams that have tokens or an end for it that it could not be given while it was blocked.
    var behind: Set<StreamID> = []

    /// Tokens that it was sent from the journal in the present turn.
    var replayed = 0

    /// What stands at a place that no client has.
    static let vacant = ClientEntry(peer: ClientPeer(rawValue: .max), name: "")

    /// Whether no client has the place.
    var isVacant: Bool { peer == Self.vacant.peer }

    /// The place of its tokens in the present turn's outgoing columns.
    var outgoing: Int?
}
