internal import CZeroMQ

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// ZeroMQ's I/O threads; one a process is enough.
///
/// Sockets hold it, so it ends after the last of them. Its end waits until ZeroMQ's threads have closed every connection; with
/// no lingering messages (see `SocketOptions`) this takes less than a millisecond or two.
public final class ZeroMQContext: Sendable {
    /// More than the default of 1,023, which a client simulator reaches; a socket of a context costs 12 bytes until opened.
    private static let maximumSockets: CInt = 16_384

    /// The `zmq_ctx` itself; ZeroMQ documents it as safe to use from any thread.
    // Invariant: set once, valid until `deinit`, and every user of it holds this object.
    nonisolated(unsafe) let raw: UnsafeMutableRawPointer

    /// Starts the I/O threads' home; the threads themselves start with the first socket.
    ///
    /// - Parameter ioThreads: How many threads move bytes; one carries about a gigabyte a second.
    /// - Throws: `ZeroMQError` when the process is out of descriptors or memory.
    public init(ioThreads: Int = 1) throws(ZeroMQError) {
        precondition(ioThreads >= 1, "a context needs an I/O thread")
        guard let raw = zmq_ctx_new() else { throw ZeroMQError("start ZeroMQ") }
        self.raw = raw
        guard zmq_ctx_set(raw, ZMQ_IO_THREADS, CInt(clamping: ioThreads)) == 0,
            zmq_ctx_set(raw, ZMQ_MAX_SOCKETS, min(Self.maximumSockets, zmq_ctx_get(raw, ZMQ_SOCKET_LIMIT))) == 0
        else { throw ZeroMQError("set up ZeroMQ") }
    }

    deinit {
        // A signal may interrupt the wait for the I/O threads; anything else that could fail is a bug here.
        while zmq_ctx_term(raw) != 0, zmq_errno() == EINTR {}
    }
}
