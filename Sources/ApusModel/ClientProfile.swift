/// What kind of program shows a stream, which says how many tokens are best sent to it together.
///
/// Browsers differ in how often they take and draw what comes: a program that handles each event at a cost of its own wants
/// fewer, larger ones once the stream is under way. The first tokens always come one by one.
public enum ClientProfile: String, Hashable, Sendable, CaseIterable {
    /// Chrome and what is built on it.
    case chrome
    /// Edge.
    case edge
    /// Firefox.
    case firefox
    /// Safari.
    case safari
    /// Anything else: each token as soon as it is there.
    case unknown

    /// Tokens that may share a message; `GenerationRequest.transferTokens` takes it.
    public var transferTokens: Int {
        switch self {
        case .chrome, .edge: 8
        case .firefox: 4
        case .safari: 2
        case .unknown: 1
        }
    }
}
