import ApusModel
import ApusProtocol

extension Apus_V1_Load {
    private static let memoryWords: Set<String> = ["normal", "warning", "pressure", "critical"]
    private static let boundWords: Set<String> = ["compute", "balanced", "transfer"]

    /// The load with the fields and the words that the protocol knows and no others: it is kept, and shown to operators.
    var printable: Apus_V1_Load {
        var load = Apus_V1_Load()
        load.active = active
        load.batchSize = batchSize
        load.batchLimit = batchLimit
        load.stepUs = stepUs
        load.memoryBytes = memoryBytes
        load.prefilledTokens = prefilledTokens
        if Self.memoryWords.contains(memory) { load.memory = memory }
        load.refusing = refusing
        if Self.boundWords.contains(bound) { load.bound = bound }
        if BatchPolicy(rawValue: policy) != nil { load.policy = policy }
        load.promptTokens = promptTokens
        load.cachedTokens = cachedTokens
        load.cacheBytes = cacheBytes
        load.grantedAhead = grantedAhead
        load.granted = granted
        load.drafted = drafted
        load.accepted = accepted
        load.errors = errors
        load.recovered = recovered
        return load
    }
}
