/// The worker that a stream goes to.
struct Placement: Sendable {
    /// The worker's place.
    let worker: Int

    /// Tokens of the prompt that it need not compute.
    let cachedTokens: Int
}
