import ApusModel

/// A client as fairness knows it: 64 bits made from its name, the same in every process.
///
/// Two names that fall on the same key share one client's share; among 10,000 clients the chance is below 1 in 10^11.
struct ClientKey: Hashable, Comparable, Sendable {
    let rawValue: UInt64

    /// Wraps a key's bits.
    init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// Hashes a name.
    init(name: String) {
        self.init(rawValue: name.stableDigest.mixed)
    }

    static func < (left: ClientKey, right: ClientKey) -> Bool { left.rawValue < right.rawValue }
}
