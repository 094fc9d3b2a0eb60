internal import CZeroMQ

/// Something that happened to one of a socket's connections.
public struct MonitorEvent: Hashable, Sendable {
    /// What happened.
    public enum Kind: Sendable {
        /// A connection was made; the value is its descriptor.
        case connected
        /// A try to connect waits for an answer.
        case connectDelayed
        /// A try to connect failed; the value is the wait before the next in milliseconds.
        case connectRetried
        /// The socket listens; the value is the descriptor.
        case listening
        /// The socket could not listen; the value is the error number.
        case bindFailed
        /// A peer connected; the value is the connection's descriptor.
        case accepted
        /// A peer could not be taken; the value is the error number.
        case acceptFailed
        /// A descriptor was closed; the value is its number.
        case closed
        /// A descriptor could not be closed; the value is the error number.
        case closeFailed
        /// A connection ended; the value is its descriptor, closed by now.
        case disconnected
        /// No event follows.
        case monitorStopped
        /// A connection is ready for messages.
        case handshakeSucceeded
        /// A peer did not speak ZeroMQ's protocol, or was turned away; the value says why.
        case handshakeFailed
        /// An event of a newer ZeroMQ.
        case other
    }

    /// What happened.
    public let kind: Kind

    /// A descriptor, an error number or a time: see `Kind`.
    public let value: UInt32

    /// The endpoint of the connection; a router's own for peers that connected to it.
    public let endpoint: String

    /// Describes an event.
    ///
    /// - Parameters:
    ///   - kind: What happened.
    ///   - value: A descriptor, an error number or a time.
    ///   - endpoint: The endpoint of the connection.
    public init(kind: Kind, value: UInt32, endpoint: String) {
        self.kind = kind
        self.value = value
        self.endpoint = endpoint
    }
}

extension MonitorEvent.Kind {
    /// Reads ZeroMQ's event number.
    init(_ number: UInt16) {
        self =
            switch CInt(number) {
            case ZMQ_EVENT_CONNECTED: .connected
            case ZMQ_EVENT_CONNECT_DELAYED: .connectDelayed
            case ZMQ_EVENT_CONNECT_RETRIED: .connectRetried
            case ZMQ_EVENT_LISTENING: .listening
            case ZMQ_EVENT_BIND_FAILED: .bindFailed
            case ZMQ_EVENT_ACCEPTED: .accepted
            case ZMQ_EVENT_ACCEPT_FAILED: .acceptFailed
            case ZMQ_EVENT_CLOSED: .closed
            case ZMQ_EVENT_CLOSE_FAILED: .closeFailed
            case ZMQ_EVENT_DISCONNECTED: .disconnected
            case ZMQ_EVENT_MONITOR_STOPPED: .monitorStopped
            case ZMQ_EVENT_HANDSHAKE_SUCCEEDED: .handshakeSucceeded
            case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL,
                ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
                .handshakeFailed
            default: .other
            }
    }
}
