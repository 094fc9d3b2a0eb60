import ApusModel

/// Which worker takes a stream: the least loaded by real capacity.
///
/// Load is the share of a worker's slots that would be in use with the stream; among equal shares the worker with the shorter
/// step wins, then the name decides, so that the choice depends on nothing but the facts. A stream that has tokens prefers
/// workers with the fingerprint that computed them, because only there its bits go on unchanged.
enum Placement {
    /// Chooses among the workers that serve the model and have a vacant slot.
    ///
    /// - Parameters:
    ///   - workers: All workers.
    ///   - model: The stream's model.
    ///   - contextTokens: The context that the worker must have.
    ///   - fingerprint: The fingerprint to prefer, or `nil`.
    /// - Returns: The chosen worker's place, or `nil` where no slot is vacant.
    static func choose(
        among workers: [WorkerEntry],
        model: ModelName,
        contextTokens: Int,
        preferring fingerprint: Fingerprint?
    ) -> Int? {
        var best: Int?
        for place in workers.indices
        where workers[place].hasVacantSlot && workers[place].registration.model == model
            && workers[place].registration.contextTokens >= contextTokens
        {
            guard let rival = best else {
                best = place
                continue
            }
            if isBetter(workers[place], than: workers[rival], preferring: fingerprint) { best = place }
        }
        return best
    }

    private static func isBetter(_ left: WorkerEntry, than right: WorkerEntry, preferring wanted: Fingerprint?) -> Bool
    {
        if let wanted {
            let matches = (left.registration.fingerprint == wanted, right.registration.fingerprint == wanted)
            if matches.0 != matches.1 { return matches.0 }
        }
        // Shares are compared crosswise, in whole numbers: (a + 1) / m < (b + 1) / n.
        let shares = (
            (left.leases + 1) * right.registration.slots,
            (right.leases + 1) * left.registration.slots
        )
        if shares.0 != shares.1 { return shares.0 < shares.1 }
        if left.load.stepTime != right.load.stepTime { return left.load.stepTime < right.load.stepTime }
        return left.registration.name < right.registration.name
    }
}
