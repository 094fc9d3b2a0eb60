internal import CZeroMQ

/// A `zmq_socket` that is closed once, and the context that it lives in.
///
/// A `Socket` owns it; its `SocketMonitor` shares it, because a monitor that goes away must first tell the socket.
/// Like its owners it belongs to one isolation domain at a time, so it has no lock.
final class SocketHandle {
    /// The socket itself.
    // Invariant: valid while `isOpen`; used by one thread at a time, because neither owner is `Sendable`.
    let raw: UnsafeMutableRawPointer

    /// Keeps the context alive for as long as the socket is.
    let context: ZeroMQContext

    /// Whether `raw` may still be used.
    private(set) var isOpen = true

    /// Counts monitors, so that an old monitor's end does not silence its successor.
    private(set) var monitorNumber = 0

    /// Whether ZeroMQ sends events to a monitor.
    private var isMonitored = false

    /// Opens a socket without any option set.
    init(_ context: ZeroMQContext, _ kind: CInt) throws(ZeroMQError) {
        guard let raw = zmq_socket(context.raw, kind) else { throw ZeroMQError("open a socket") }
        self.raw = raw
        self.context = context
    }

    deinit { close() }

    /// Closes the socket; later calls do nothing.
    func close() {
        guard isOpen else { return }
        // ZeroMQ's threads send events with a blocking call: without a reader they would wait for ever, so events end first.
        stopMonitor(monitorNumber)
        isOpen = false
        // Invariant: `raw` is valid here and never used again.
        zmq_close(raw)
    }

    /// Sends the socket's events to an in-process endpoint.
    ///
    /// - Returns: The number to stop this monitor with.
    func startMonitor(_ endpoint: String) throws(ZeroMQError) -> Int {
        guard zmq_socket_monitor(raw, endpoint, ZMQ_EVENT_ALL) == 0 else {
            throw ZeroMQError("monitor a socket", endpoint: endpoint)
        }
        monitorNumber += 1
        isMonitored = true
        return monitorNumber
    }

    /// Ends the events, unless a newer monitor gets them.
    func stopMonitor(_ number: Int) {
        guard isOpen, isMonitored, number == monitorNumber else { return }
        isMonitored = false
        zmq_socket_monitor(raw, nil, 0)
    }

    /// Sets an option that is an `int`.
    func set(_ option: CInt, to value: CInt) throws(ZeroMQError) {
        var value = value
        guard zmq_setsockopt(raw, option, &value, MemoryLayout<CInt>.size) == 0 else {
            throw ZeroMQError("set socket option \(option) to \(value)")
        }
    }

    /// Sets an option that is an `int64_t`.
    func set(_ option: CInt, toWide value: Int64) throws(ZeroMQError) {
        var value = value
        guard zmq_setsockopt(raw, option, &value, MemoryLayout<Int64>.size) == 0 else {
            throw ZeroMQError("set socket option \(option) to \(value)")
        }
    }

    /// The endpoint that the last bind or connect resolved to.
    func lastEndpoint() throws(ZeroMQError) -> String {
        var size = 1024
        // Invariant: ZeroMQ writes at most `size` bytes and ends them with a zero, which `size` then counts.
        let endpoint = withUnsafeTemporaryAllocation(of: CChar.self, capacity: size) { buffer -> String? in
            guard let start = buffer.baseAddress, zmq_getsockopt(raw, ZMQ_LAST_ENDPOINT, start, &size) == 0 else {
                return nil
            }
            return String(cString: start)
        }
        guard let endpoint else { throw ZeroMQError("ask for the bound endpoint") }
        return endpoint
    }
}
