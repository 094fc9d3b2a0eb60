import ApusCoordinator
import ApusModel
import ArgumentParser

/// A client's share of the workers, as `--share NAME=WEIGHT` gives it.
struct ClientShare: Hashable, Sendable {
    /// The client's name.
    let name: ClientName

    /// Its weight against other clients.
    let weight: Int

    /// Reads a name and a weight.
    ///
    /// - Throws: `ValidationError` that names the bad part.
    init(_ argument: String) throws {
        let halves = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard halves.count == 2 else {
            throw ValidationError("a share is a client's name, = and a weight: --share web=4.")
        }
        guard let name = ClientName(String(halves[0])) else {
            throw ValidationError(
                "a client's name has 1 to \(Limits.nameBytes) letters, digits, dots, hyphens or underscores."
            )
        }
        let weights = CoordinatorConfiguration.weights
        guard let weight = Int(halves[1]), weights.contains(weight) else {
            throw ValidationError(
                "the weight is a whole number between \(weights.lowerBound) and \(weights.upperBound)."
            )
        }
        self.name = name
        self.weight = weight
    }
}
