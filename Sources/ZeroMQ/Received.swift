/// What a look into a router's inbox found.
public enum RoutedMessage: ~Copyable {
    /// Nothing waits.
    case none
    /// A message of one frame, and the peer that sent it.
    case message(Route, Frame)
    /// A message of another form, dropped whole; the peer, unless it named itself.
    case malformed(Route?)
}

/// What a look into a dealer's or pair's inbox found.
public enum DirectMessage: ~Copyable {
    /// Nothing waits.
    case none
    /// A message of one frame.
    case message(Frame)
    /// A message of several frames, dropped whole.
    case malformed
}

/// What became of a send; none of them is an error of the caller.
public enum SendResult: Sendable {
    /// ZeroMQ took the message; whether it arrives is the peer's to say.
    case sent
    /// The peer's queue is full, or there is no connection yet; the message was not taken.
    ///
    /// A router whose queue for a peer was full when the peer left says this until it next receives: read before resending.
    case wouldBlock
    /// A router has no such peer (any more); the message was not taken.
    case unreachable
}
