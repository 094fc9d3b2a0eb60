internal import CZeroMQ

/// The bytes of a received message, held by ZeroMQ and freed with the frame; the payload is never copied.
public struct Frame: ~Copyable {
    /// ZeroMQ's message; small payloads lie in it, large ones behind it.
    // Invariant: initialised by a successful receive, closed in `deinit` only. ZeroMQ keeps no pointer to the struct, so it may move.
    private var message: zmq_msg_t

    /// How many bytes there are.
    public let count: Int

    /// Takes over a received message.
    init(owning message: zmq_msg_t) {
        self.message = message
        count = withUnsafePointer(to: message) { zmq_msg_size($0) }
    }

    deinit {
        // A deinit cannot mutate its fields; the copy stands for the original, which nobody sees again.
        var last = message
        zmq_msg_close(&last)
    }

    /// Lends the bytes.
    ///
    /// - Parameter body: Reads the bytes; they are gone when it returns.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws.
    public func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        // Invariant: the data of a small message lies inside the struct that the pointer shows, alive for the closure.
        try withUnsafePointer(to: message) { pointer in
            // `zmq_msg_data` asks for a mutable pointer but only reads the message.
            let start = zmq_msg_data(UnsafeMutablePointer(mutating: pointer))
            return try body(UnsafeRawBufferPointer(start: start, count: count))
        }
    }
}
