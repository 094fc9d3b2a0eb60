import ApusModel

/// All that the coordinator knows of a connected client.
struct ClientEntry: Sendable {
    let peer: ClientPeer
    var name: String

    /// Streams that it follows.
    var following = 0

    /// Whether its connection takes no more for now; it then gets tokens later, from the journal.
    var isBlocked = false

    /// The streams that have tokens or an end for it that it could not be given while it was blocked.
    var behind: Set<StreamID> = []

    /// The place of its tokens in the present turn's outgoing columns.
    var outgoing: Int?
}
