import ApusModel

/// A job of a chaos run, and what its streams have to bring.
struct ChaosJob: Sendable {
    /// Its idempotency key.
    var key: String

    /// What is asked for.
    var request: GenerationRequest

    /// What its streams are, one a choice.
    var streams: [ExpectedStream]

    /// Whether it may die with its coordinator.
    var mayDie: Bool { request.durability == .none }
}
