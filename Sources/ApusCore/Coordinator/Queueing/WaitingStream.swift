import ApusModel

/// A stream that waits for a slot, with all that its turn depends on.
///
/// The values stay the same while it waits: they are what it is found by.
struct WaitingStream: Hashable, Sendable {
    let stream: StreamID
    let client: ClientKey
    let priority: Priority
    let deadline: Timestamp

    /// Tokens that it is expected to cost: its prompt and its output.
    let work: Int

    /// The client's share against the other clients of the class, 1 to `VirtualCounter.scale`.
    let weight: Int

    /// Whether it was taken before and lost its slot; it then goes first and is not charged again.
    let isFailover: Bool
}

extension WaitingStream: Comparable {
    /// Orders the streams of one client by deadline, then by acceptance.
    static func < (left: WaitingStream, right: WaitingStream) -> Bool {
        (left.deadline, left.stream) < (right.deadline, right.stream)
    }
}
