import ApusCore

/// How the world stood when it stopped.
struct WorldEnd {
    /// The coordinator's machine.
    let machine: CoordinatorMachine

    /// The journal as the disk holds it.
    let journal: [SimulatedBatch]

    /// Whether the time was over before every accepted job had ended and every client had heard of it.
    let isLate: Bool
}
