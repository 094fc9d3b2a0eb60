import ApusModel

/// A worker that is gone, and since when: it is still shown for a while.
struct GoneWorker: Sendable {
    let place: Int
    let since: Timestamp
}
