package import ApusModel

extension Apus_V1_Configure {
    /// The wire form of a worker's settings; what they leave as it is is absent.
    package init(_ settings: WorkerSettings) {
        self.init()
        batchMinimum = UInt32(clamping: settings.batchMinimum ?? 0)
        batchMaximum = UInt32(clamping: settings.batchMaximum ?? 0)
        policy = settings.policy?.rawValue ?? ""
        interTokenMs = settings.interTokenTarget.map { UInt32(clamping: max(1, $0.nanoseconds / 1_000_000)) } ?? 0
        if let stability = settings.networkStability { networkStability = stability }
    }
}

extension WorkerSettings {
    /// The settings that a peer sent, checked.
    ///
    /// - Throws: `invalidRequest` with a message that names the first bad value.
    package init(_ wire: Apus_V1_Configure) throws(ApusError) {
        let policy = BatchPolicy(rawValue: wire.policy)
        guard wire.policy.isEmpty || policy != nil else {
            let known = BatchPolicy.allCases.map(\.rawValue).joined(separator: ", ")
            throw ApusError(.invalidRequest, "the policy must be one of \(known)")
        }
        self.init(
            batchMinimum: wire.batchMinimum == 0 ? nil : Int(wire.batchMinimum),
            batchMaximum: wire.batchMaximum == 0 ? nil : Int(wire.batchMaximum),
            policy: policy,
            interTokenTarget: wire.interTokenMs == 0 ? nil : .milliseconds(Int64(wire.interTokenMs)),
            networkStability: wire.hasNetworkStability ? wire.networkStability : nil
        )
        try validate()
    }
}
