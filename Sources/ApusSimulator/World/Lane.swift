/// One direction of a connection: messages in order, each with the moment of its arrival.
struct Lane<Message> {
    private var messages: [(due: Int64, message: Message?)] = []
    private var first = 0
    private var lastDue: Int64 = 0

    /// Whether a partition holds everything back.
    private(set) var isHeld = false

    /// Messages on their way.
    var count: Int { messages.count - first }

    /// Sends a message; it never overtakes.
    ///
    /// - Parameters:
    ///   - message: The message.
    ///   - due: When it would arrive if it were alone.
    /// - Returns: Whether its arrival has to be planned for `due`; otherwise it arrives with what was sent before it.
    mutating func send(_ message: Message, due: Int64) -> Bool {
        let isAlone = due > lastDue
        lastDue = max(lastDue, due)
        messages.append((lastDue, message))
        return isAlone && !isHeld
    }

    /// Holds everything back, or lets it go.
    ///
    /// - Parameters:
    ///   - isHeld: Whether a partition is in force.
    ///   - due: When what was held back may arrive.
    /// - Returns: When an arrival has to be planned for.
    mutating func hold(_ isHeld: Bool, due: Int64) -> Int64 {
        self.isHeld = isHeld
        lastDue = max(lastDue, due)
        return lastDue
    }

    /// Takes the next message that has arrived.
    mutating func receive(at now: Int64) -> Message? {
        guard !isHeld, first < messages.count, messages[first].due <= now else { return nil }
        // A message that is alone, as most are, is moved out without the costs of emptying an array.
        if first == messages.count - 1 {
            let message = messages.removeLast().message
            removeReceived()
            return message
        }
        var message: Message?
        swap(&message, &messages[first].message)
        first += 1
        return message
    }

    /// The connection is cut: only the first `kept` messages still arrive.
    mutating func cut(keeping kept: Int) {
        messages.removeLast(max(0, count - kept))
        if first == messages.count { removeReceived() }
        isHeld = false
    }

    /// Forgets the places of messages that were received, when no other is left.
    private mutating func removeReceived() {
        while messages.popLast() != nil {}
        first = 0
    }
}
