/// A connection between the coordinator and a peer; a peer that connects again has another one.
struct Connection<Up, Down> {
    /// The place of the peer in the world.
    let owner: Int

    /// The life of the coordinator's process that it belongs to.
    let coordinatorLife: Int

    /// From the peer to the coordinator.
    var up = Lane<Up>()

    /// From the coordinator to the peer.
    var down = Lane<Down>()

    /// Whether it is cut: nothing that is sent from now on arrives.
    var isCut = false

    /// Whether the coordinator knows that it is cut.
    var isNoticed = false
}
