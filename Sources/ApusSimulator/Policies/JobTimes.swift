/// What a client saw of a job, in milliseconds of virtual time.
struct JobTimes: Sendable {
    /// The place of its client.
    var client: Int

    /// When it was submitted.
    var submitted: Double

    /// From the submit to the first token.
    var firstToken: Double

    /// The mean time between two tokens; `nil` for a single one.
    var tokenTime: Double?

    /// When the last token came.
    var ended: Double
}

extension JobTimes {
    /// The job of a world as its client saw it; `nil` for one that got no token.
    init?(_ job: SimulatedJob, _ spec: JobSpec) {
        guard let first = job.firstTokenAt else { return nil }
        client = spec.client
        submitted = Double(spec.submittedAt) / 1e6
        firstToken = Double(first - spec.submittedAt) / 1e6
        tokenTime = job.next > 1 ? Double(job.lastTokenAt - first) / 1e6 / Double(job.next - 1) : nil
        ended = Double(job.lastTokenAt) / 1e6
    }
}

extension PolicyMeasurement {
    /// Measures jobs.
    ///
    /// - Parameters:
    ///   - times: The jobs that are measured, one or more.
    ///   - objective: What makes a job good.
    ///   - alike: The places of the clients that should fare alike.
    init(_ times: [JobTimes], objective: ServiceObjective, alike: [Int]) {
        jobs = times.count
        let firstTokens = times.map(\.firstToken).sorted()
        firstTokenP50 = Self.percentile(50, of: firstTokens)
        firstTokenP99 = Self.percentile(99, of: firstTokens)
        let tokenTimes = times.compactMap(\.tokenTime).sorted()
        tokenTimeP50 = Self.percentile(50, of: tokenTimes)
        tokenTimeP99 = Self.percentile(99, of: tokenTimes)
        let begin = times.map(\.submitted).min() ?? 0
        let end = times.map(\.ended).max() ?? 0
        let good = times.count { objective.isMet(by: $0) }
        goodput = end > begin ? Double(good) / (end - begin) * 1_000 : 0
        fairness = Self.jain(
            alike.compactMap { client in
                let own = times.filter { $0.client == client }.map(\.firstToken)
                return own.isEmpty ? nil : own.reduce(0, +) / Double(own.count)
            }
        )
    }

    /// The smallest of the values that at least `percent` of a hundred don't exceed (nearest rank); 0 without values.
    ///
    /// - Parameters:
    ///   - percent: 1 to 100.
    ///   - sorted: The values in rising order.
    /// - Returns: One of the values.
    static func percentile(_ percent: Int, of sorted: [Double]) -> Double {
        guard !sorted.isEmpty else { return 0 }
        return sorted[max(0, (sorted.count * percent + 99) / 100 - 1)]
    }

    /// Jain's fairness index: (Σx)² / (n Σx²); 1 without values.
    static func jain(_ values: [Double]) -> Double {
        let sum = values.reduce(0, +)
        let squares = values.reduce(0) { $0 + $1 * $1 }
        return squares > 0 ? sum * sum / (Double(values.count) * squares) : 1
    }
}
