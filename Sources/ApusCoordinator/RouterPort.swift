import ApusModel
import ApusProtocol
import ZeroMQ

/// A ROUTER socket with its monitor, and the messages that its peers' connections did not take yet.
///
/// A message to a peer goes out at once or waits behind those that already wait for the same peer, so order holds. What waits is
/// bounded: a peer over the bound is given up as if it had gone.
struct RouterPort: ~Copyable {
    /// What became of a message.
    enum Outcome {
        /// Handed to the transport.
        case sent
        /// Kept until the peer's connection takes more.
        case waiting
        /// The peer is gone, or too far behind.
        case lost
    }

    /// Bytes that may wait for one peer: a few frames of the largest size.
    static let waitingBytes = 16 << 20

    private struct Backlog {
        var frames: [[UInt8]] = []
        var bytes = 0
    }

    let socket: Socket
    let monitor: SocketMonitor
    let endpoint: String

    private var backlogs: [Route: Backlog] = [:]

    init(_ context: ZeroMQContext, endpoint: String, highWaterMark: Int) throws(ZeroMQError) {
        var options = SocketOptions()
        options.sendHighWaterMark = highWaterMark
        options.receiveHighWaterMark = highWaterMark
        options.maximumMessageBytes = Limits.frameBytes
        let socket = try Socket(context, .router, options)
        let monitor = try socket.monitor()
        self.endpoint = try socket.bind(endpoint)
        self.socket = socket
        self.monitor = monitor
    }

    /// Whether a message waits for anybody.
    var hasBacklog: Bool { !backlogs.isEmpty }

    /// Sends a message in order.
    mutating func send(_ bytes: [UInt8], to route: Route) throws(ZeroMQError) -> Outcome {
        if backlogs[route] != nil { return wait(bytes, for: route) }
        switch try socket.send(bytes, to: route) {
        case .sent: return .sent
        case .unreachable: return .lost
        case .wouldBlock: return wait(bytes, for: route)
        }
    }

    /// Whether a peer can be reached, found out by a message that it ignores.
    mutating func probe(_ route: Route, with ping: [UInt8]) throws(ZeroMQError) -> Bool {
        try socket.send(ping, to: route) != .unreachable
    }

    private mutating func wait(_ bytes: [UInt8], for route: Route) -> Outcome {
        var backlog = backlogs[route] ?? Backlog()
        backlogs[route] = nil
        guard backlog.bytes + bytes.count <= Self.waitingBytes else { return .lost }
        backlog.frames.append(bytes)
        backlog.bytes += bytes.count
        backlogs[route] = backlog
        return .waiting
    }

    /// Sends what waits, as far as the peers' connections take it.
    ///
    /// - Parameters:
    ///   - drained: Called for each peer that has everything now.
    ///   - lost: Called for each peer that is gone.
    /// - Throws: Where the transport itself fails.
    mutating func flush(drained: (Route) -> Void, lost: (Route) -> Void) throws(ZeroMQError) {
        for route in Array(backlogs.keys) {
            guard var backlog = backlogs[route] else { continue }
            var sent = 0
            sending: while sent < backlog.frames.count {
                switch try socket.send(backlog.frames[sent], to: route) {
                case .sent: sent += 1
                case .wouldBlock: break sending
                case .unreachable:
                    backlogs[route] = nil
                    lost(route)
                    break sending
                }
            }
            guard backlogs[route] != nil else { continue }
            if sent == backlog.frames.count {
                backlogs[route] = nil
                drained(route)
            } else if sent > 0 {
                for frame in backlog.frames.prefix(sent) { backlog.bytes -= frame.count }
                backlog.frames.removeFirst(sent)
                backlogs[route] = backlog
            }
        }
    }

    /// Drops what waits for a peer.
    mutating func forget(_ route: Route) {
        backlogs[route] = nil
    }
}
