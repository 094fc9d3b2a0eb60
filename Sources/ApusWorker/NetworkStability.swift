/// How steady the connection to the coordinator is: the share of the last looks at which it stood and took what there was to
/// send.
struct NetworkStability {
    /// The weight of a look.
    private static let smoothing = 0.2

    /// Below this the batch is halved, each so many looks while it lasts.
    private static let steady = 0.7
    private static let looksPerReport = 4

    /// Frames that have waited for less are on their way: a busy worker nearly always has some.
    private static let patience: Duration = .milliseconds(50)

    private var stability = 1.0
    private var wasSteady = true
    private var looks = 0

    /// Takes a look.
    ///
    /// - Parameters:
    ///   - isConnected: Whether the connection stands.
    ///   - wait: For how long frames have waited for the socket.
    /// - Returns: The stability, where the batch has to hear of it: while the connection is unsteady, and once it no longer is.
    mutating func measured(isConnected: Bool, waitingFor wait: Duration) -> Double? {
        let look = isConnected && wait < Self.patience ? 1.0 : 0
        stability += (look - stability) * Self.smoothing
        let isSteady = stability >= Self.steady
        defer { wasSteady = isSteady }
        if isSteady { return wasSteady ? nil : stability }
        looks = wasSteady ? 0 : looks + 1
        return looks % Self.looksPerReport == 0 ? stability : nil
    }
}
