import ApusModel

/// All that the coordinator knows of a model: who serves it, and what waits for it.
struct ModelEntry: Sendable {
    let name: ModelName

    /// The streams that wait for a slot.
    var line = WaitingLine()

    /// The connected workers, by what placement asks for.
    var pool = WorkerPool()

    /// Who caches which prompts.
    var prefixes = PrefixIndex()

    /// How long answers are.
    var output = OutputEstimate()

    /// Who gets the next stream.
    var choice: WorkerChoice

    /// Workers that are known, those that are gone but still shown included.
    var workers = 0

    /// Kept streams that are bound to it.
    var streams = 0

    init(name: ModelName, policy: PlacementPolicy) {
        self.name = name
        choice = WorkerChoice(policy: policy)
    }

    /// Whether its place may be taken by another model.
    var isVacant: Bool { workers == 0 && streams == 0 }
}
