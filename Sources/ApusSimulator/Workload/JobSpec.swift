import ApusModel

/// A job that a client of the world submits once it is time, again and again until it knows the end.
struct JobSpec: Sendable {
    /// The place of the client that submits it.
    var client: Int

    /// Its idempotency key; no other job of the world has it.
    var key: String

    /// What is asked for.
    ///
    /// `topK` is the job's place in the world plus 1: no simulated engine has another use for it, and a worker finds the job by it.
    var request: GenerationRequest

    /// When the client submits it first, in nanoseconds of virtual time.
    var submittedAt: Int64

    /// The tokens after which the model ends its answer, were there no limit.
    var naturalLength: Int

    /// The tokens of its prompt.
    var promptTokens: Int

    /// The index whose computation kills the worker; `nil` for a harmless job.
    var poisonedIndex: Int?
}

extension JobSpec {
    /// The place of the job that a request belongs to.
    static func place(of request: GenerationRequest) -> Int { request.sampling.topK - 1 }

    /// The tokens of the whole stream.
    var length: Int { min(naturalLength, request.maximumTokens) }

    /// How an undisturbed stream ends.
    var reason: FinishReason { naturalLength <= request.maximumTokens ? .stop : .length }
}
