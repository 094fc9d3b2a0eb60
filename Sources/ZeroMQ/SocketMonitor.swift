internal import CZeroMQ
private import Synchronization

/// The events of one socket's connections, to be read by the thread that uses the socket.
///
/// Events wait in memory until read, without a bound: ZeroMQ's I/O thread would stop moving everybody's bytes if it had to wait for
/// the reader. So read it to the end every turn. It belongs to the socket's isolation domain.
public struct SocketMonitor: ~Copyable {
    /// Makes the in-process endpoints of a process's monitors distinct.
    private static let counter = Atomic<UInt64>(0)

    /// The reading end.
    let inbox: Socket

    /// The socket that is watched, which may close before the monitor.
    private let watched: SocketHandle

    /// Which of the socket's monitors this is.
    private let number: Int

    /// Starts to watch a socket.
    init(watching watched: SocketHandle) throws(ZeroMQError) {
        let serial = Self.counter.add(1, ordering: .relaxed).newValue
        let endpoint = "inproc://apus-monitor-\(serial)"
        // A mark of 0 means no bound; see above.
        let inbox = try Socket(watched.context, .pair, SocketOptions(receiveHighWaterMark: 0))
        let number = try watched.startMonitor(endpoint)
        do throws(ZeroMQError) {
            try inbox.connect(endpoint)
        } catch {
            watched.stopMonitor(number)
            throw error
        }
        self.inbox = inbox
        self.watched = watched
        self.number = number
    }

    deinit { watched.stopMonitor(number) }

    /// Takes the next event.
    ///
    /// - Returns: The event; `nil` when none waits.
    /// - Throws: `ZeroMQError` when the monitor is unusable.
    public borrowing func next() throws(ZeroMQError) -> MonitorEvent? {
        try inbox.receiveEvent()
    }
}

extension Socket {
    /// Starts to watch this socket's connections; an earlier monitor of the socket gets no more events.
    ///
    /// - Returns: The monitor.
    /// - Throws: `ZeroMQError` when sockets or descriptors ran out.
    public borrowing func monitor() throws(ZeroMQError) -> SocketMonitor {
        try SocketMonitor(watching: handle)
    }
}
