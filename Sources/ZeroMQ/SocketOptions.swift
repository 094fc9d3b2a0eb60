internal import CZeroMQ

/// The kinds of socket that Apus uses.
public enum SocketKind: Sendable {
    /// Many peers, each addressed by its `Route`.
    case router
    /// One connection to a router, or several in turn.
    case dealer
    /// Exactly one peer.
    case pair

    /// ZeroMQ's number of the kind.
    var raw: CInt {
        switch self {
        case .router: ZMQ_ROUTER
        case .dealer: ZMQ_DEALER
        case .pair: ZMQ_PAIR
        }
    }
}

/// What a socket keeps to from before its first connection; most have one right value and are not here.
///
/// Fixed: nothing lingers after close, messages wait for a finished connection rather than for a hoped-for one, TCP keepalive is
/// on, and a router reports an unreachable peer instead of dropping silently and never hands a peer's identity to another.
public struct SocketOptions: Sendable {
    /// Messages that may wait for one slow peer before a send would block.
    public var sendHighWaterMark: Int
    /// Messages of one peer that may wait to be received before TCP pushes back on it.
    public var receiveHighWaterMark: Int
    /// The largest frame taken from a peer; a larger one closes the peer's connection.
    public var maximumMessageBytes: Int
    /// How long a new connection may take to say what it is.
    public var handshakeInterval: Duration
    /// How often an idle connection is probed by ZeroMQ's own heartbeat; `nil`: never.
    public var heartbeatInterval: Duration?
    /// How long a heartbeat may stay unanswered before the connection closes; `nil`: as long as `heartbeatInterval`.
    public var heartbeatTimeout: Duration?
    /// The first wait before connecting again.
    public var reconnectInterval: Duration
    /// The longest wait between two tries to connect; the wait doubles up to here.
    public var reconnectMaximum: Duration

    /// Options that suit a cluster on one network.
    ///
    /// - Parameters:
    ///   - sendHighWaterMark: Messages that may wait for one peer.
    ///   - receiveHighWaterMark: Messages of one peer that may wait here.
    ///   - maximumMessageBytes: The largest frame taken from a peer.
    ///   - handshakeInterval: How long a handshake may take.
    ///   - heartbeatInterval: How often an idle connection is probed.
    ///   - heartbeatTimeout: How long a probe may stay unanswered.
    ///   - reconnectInterval: The first wait before connecting again.
    ///   - reconnectMaximum: The longest wait before connecting again.
    public init(
        sendHighWaterMark: Int = 1000,
        receiveHighWaterMark: Int = 1000,
        maximumMessageBytes: Int = 1 << 20,
        handshakeInterval: Duration = .seconds(2),
        heartbeatInterval: Duration? = nil,
        heartbeatTimeout: Duration? = nil,
        reconnectInterval: Duration = .milliseconds(10),
        reconnectMaximum: Duration = .milliseconds(500)
    ) {
        self.sendHighWaterMark = sendHighWaterMark
        self.receiveHighWaterMark = receiveHighWaterMark
        self.maximumMessageBytes = maximumMessageBytes
        self.handshakeInterval = handshakeInterval
        self.heartbeatInterval = heartbeatInterval
        self.heartbeatTimeout = heartbeatTimeout
        self.reconnectInterval = reconnectInterval
        self.reconnectMaximum = reconnectMaximum
    }

    /// Sets all of it on a new socket.
    func apply(to handle: SocketHandle, _ kind: SocketKind) throws(ZeroMQError) {
        try handle.set(ZMQ_LINGER, to: 0)
        try handle.set(ZMQ_IMMEDIATE, to: 1)
        try handle.set(ZMQ_SNDHWM, to: CInt(clamping: sendHighWaterMark))
        try handle.set(ZMQ_RCVHWM, to: CInt(clamping: receiveHighWaterMark))
        try handle.set(ZMQ_MAXMSGSIZE, toWide: Int64(maximumMessageBytes))
        try handle.set(ZMQ_HANDSHAKE_IVL, to: handshakeInterval.wholeMilliseconds)
        try handle.set(ZMQ_RECONNECT_IVL, to: reconnectInterval.wholeMilliseconds)
        try handle.set(ZMQ_RECONNECT_IVL_MAX, to: reconnectMaximum.wholeMilliseconds)
        if let heartbeatInterval {
            try handle.set(ZMQ_HEARTBEAT_IVL, to: heartbeatInterval.wholeMilliseconds)
            try handle.set(ZMQ_HEARTBEAT_TIMEOUT, to: (heartbeatTimeout ?? heartbeatInterval).wholeMilliseconds)
        }
        // A peer behind a cut link is noticed within about a minute even where no heartbeat is on.
        try handle.set(ZMQ_TCP_KEEPALIVE, to: 1)
        try handle.set(ZMQ_TCP_KEEPALIVE_IDLE, to: 30)
        try handle.set(ZMQ_TCP_KEEPALIVE_INTVL, to: 10)
        try handle.set(ZMQ_TCP_KEEPALIVE_CNT, to: 3)
        if kind == .router {
            // All clients come back at once after a restart; past the default of 100 the kernel makes some wait for seconds.
            try handle.set(ZMQ_BACKLOG, to: 1024)
            try handle.set(ZMQ_ROUTER_MANDATORY, to: 1)
            try handle.set(ZMQ_ROUTER_HANDOVER, to: 0)
        }
    }
}

extension Duration {
    /// Milliseconds as ZeroMQ's options take them, rounded up so that a short time never becomes "off".
    fileprivate var wholeMilliseconds: CInt {
        let (seconds, attoseconds) = components
        let fraction = (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
        let (milliseconds, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        return overflow ? .max : CInt(clamping: milliseconds + fraction)
    }
}
