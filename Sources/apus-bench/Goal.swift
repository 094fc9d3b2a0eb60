import Foundation

/// What a figure is to be.
enum Goal: CustomStringConvertible {
    /// This or less.
    case atMost(Double)
    /// This or more.
    case atLeast(Double)
    /// Exactly this.
    case exactly(Double)

    /// Whether a value meets the goal; one that could not be measured does not.
    func isMet(by value: Double) -> Bool {
        switch self {
        case .atMost(let bound): value <= bound
        case .atLeast(let bound): value >= bound
        case .exactly(let bound): value == bound
        }
    }

    var description: String {
        switch self {
        case .atMost(let bound): "<= \(Self.format(bound))"
        case .atLeast(let bound): ">= \(Self.format(bound))"
        case .exactly(let bound): Self.format(bound)
        }
    }

    private static func format(_ bound: Double) -> String { String(format: "%.15g", bound) }
}
