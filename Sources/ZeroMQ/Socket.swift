internal import CZeroMQ

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// A ZeroMQ socket that never blocks and carries messages of exactly one frame.
///
/// It is not `Sendable`: stored in an actor, the compiler proves that one thread uses it. It closes when its owner goes away; a
/// socket that a `PollExecutor` polls must be unregistered, or the executor stopped, before that.
public struct Socket: ~Copyable {
    /// The open socket.
    let handle: SocketHandle

    /// Opens a socket with its options set.
    ///
    /// - Parameters:
    ///   - context: Where its connections run; the socket keeps it alive.
    ///   - kind: What it talks to.
    ///   - options: Set before the first connection and fixed from then on.
    /// - Throws: `ZeroMQError` when sockets or descriptors ran out, or an option is impossible.
    public init(
        _ context: ZeroMQContext,
        _ kind: SocketKind,
        _ options: SocketOptions = SocketOptions()
    ) throws(ZeroMQError) {
        let handle = try SocketHandle(context, kind.raw)
        try options.apply(to: handle, kind)
        self.handle = handle
    }

    deinit { handle.close() }

    /// Listens.
    ///
    /// - Parameter endpoint: Where, like `tcp://127.0.0.1:5555`; port `*` takes a free one.
    /// - Returns: The endpoint with the port that was taken.
    /// - Throws: `ZeroMQError`; see `isAddressInUse` and `isInvalidEndpoint`.
    @discardableResult
    public borrowing func bind(_ endpoint: String) throws(ZeroMQError) -> String {
        try Self.checkPort(of: endpoint, "bind")
        guard zmq_bind(handle.raw, endpoint) == 0 else { throw ZeroMQError("bind", endpoint: endpoint) }
        return try handle.lastEndpoint()
    }

    /// Connects in the background, again and again until it succeeds or `disconnect` is called.
    ///
    /// - Parameter endpoint: Where to.
    /// - Throws: `ZeroMQError` for an impossible endpoint; an absent peer is no error.
    public borrowing func connect(_ endpoint: String) throws(ZeroMQError) {
        try Self.checkPort(of: endpoint, "connect to")
        guard zmq_connect(handle.raw, endpoint) == 0 else { throw ZeroMQError("connect to", endpoint: endpoint) }
    }

    /// Ends a connection, or the tries to make one; messages still queued for it are dropped.
    ///
    /// - Parameter endpoint: The endpoint as given to `connect`.
    /// - Throws: `ZeroMQError` when there is no connection to that endpoint.
    public borrowing func disconnect(_ endpoint: String) throws(ZeroMQError) {
        guard zmq_disconnect(handle.raw, endpoint) == 0 else {
            throw ZeroMQError("disconnect from", endpoint: endpoint)
        }
    }

    /// Takes the next message of a dealer or a pair, if one waits.
    ///
    /// - Returns: The message, or what was there instead.
    /// - Throws: `ZeroMQError` when the socket is unusable.
    public borrowing func receive() throws(ZeroMQError) -> DirectMessage {
        guard let part = try nextPart() else { return .none }
        guard part.isLast else {
            try dropRest()
            return .malformed
        }
        return .message(part.takeFrame())
    }

    /// Takes the next message of a router, if one waits.
    ///
    /// - Returns: The message and its sender, or what was there instead.
    /// - Throws: `ZeroMQError` when the socket is unusable.
    public borrowing func receiveRouted() throws(ZeroMQError) -> RoutedMessage {
        guard let identity = try nextPart() else { return .none }
        let isAlone = identity.isLast
        let route = identity.takeFrame().withBytes { Route(identity: $0) }
        // ZeroMQ delivers messages whole, so the second frame is there if the first says so.
        guard !isAlone, let part = try nextPart() else { return .malformed(route) }
        guard part.isLast else {
            try dropRest()
            return .malformed(route)
        }
        guard let route else { return .malformed(nil) }
        return .message(route, part.takeFrame())
    }

    /// Sends a message of a dealer or a pair.
    ///
    /// - Parameter bytes: The one frame; copied before the call returns.
    /// - Returns: Whether ZeroMQ took it.
    /// - Throws: `ZeroMQError` when the socket is unusable.
    public borrowing func send(_ bytes: [UInt8]) throws(ZeroMQError) -> SendResult {
        try bytes.withUnsafeBufferPointer { bytes throws(ZeroMQError) in
            try sendPart(UnsafeRawBufferPointer(bytes), ZMQ_DONTWAIT)
        }
    }

    /// Sends a message of a router to one peer.
    ///
    /// - Parameters:
    ///   - bytes: The one frame; copied before the call returns.
    ///   - route: The peer.
    /// - Returns: Whether ZeroMQ took it.
    /// - Throws: `ZeroMQError` when the socket is unusable.
    public borrowing func send(_ bytes: [UInt8], to route: Route) throws(ZeroMQError) -> SendResult {
        let addressed: Result<SendResult, ZeroMQError> = route.withIdentity { identity in
            Result { () throws(ZeroMQError) in try sendPart(identity, ZMQ_DONTWAIT | ZMQ_SNDMORE) }
        }
        // With mandatory routing the identity is refused where the message would be, so the second part follows a yes.
        let result = try addressed.get()
        return result == .sent ? try send(bytes) : result
    }
}

extension Socket {
    /// Refuses a port over 65,535, which ZeroMQ 4.3.4 takes modulo 65,536.
    private static func checkPort(of endpoint: String, _ operation: String) throws(ZeroMQError) {
        guard endpoint.hasPrefix("tcp://"), let port = endpoint.split(separator: ":").last.flatMap({ Int($0) }),
            port > UInt16.max
        else { return }
        throw ZeroMQError(number: EINVAL, operation: operation, endpoint: endpoint)
    }

    /// Takes the next frame, if one waits.
    private borrowing func nextPart() throws(ZeroMQError) -> Part? {
        // Invariant: ZeroMQ initialises the message in place; on failure it stays an empty one that owns nothing.
        var message = zmq_msg_t()
        zmq_msg_init(&message)
        while zmq_msg_recv(&message, handle.raw, ZMQ_DONTWAIT) < 0 {
            switch zmq_errno() {
            case EINTR: continue
            case EAGAIN: return nil
            default: throw ZeroMQError("receive")
            }
        }
        let isLast = zmq_msg_more(&message) == 0
        return Part(frame: Frame(owning: message), isLast: isLast)
    }

    /// Takes the next event that ZeroMQ wrote into a monitor's inbox: a frame of number and value, then the endpoint.
    borrowing func receiveEvent() throws(ZeroMQError) -> MonitorEvent? {
        guard let head = try nextPart(), !head.isLast, let tail = try nextPart() else { return nil }
        // zmq_socket_monitor(3): 16 bits of event number and 32 bits of value in host order, unaligned.
        let fields = head.takeFrame().withBytes { bytes -> (UInt16, UInt32)? in
            guard bytes.count >= 6 else { return nil }
            return (bytes.loadUnaligned(as: UInt16.self), bytes.loadUnaligned(fromByteOffset: 2, as: UInt32.self))
        }
        guard let (number, value) = fields else { return nil }
        let endpoint = tail.takeFrame().withBytes { String(decoding: $0, as: UTF8.self) }
        return MonitorEvent(kind: MonitorEvent.Kind(number), value: value, endpoint: endpoint)
    }

    /// Takes and frees the frames of a message that has too many.
    private borrowing func dropRest() throws(ZeroMQError) {
        while let part = try nextPart() {
            if part.isLast { return }
        }
    }

    /// Hands one frame to ZeroMQ.
    private borrowing func sendPart(_ bytes: UnsafeRawBufferPointer, _ flags: CInt) throws(ZeroMQError) -> SendResult {
        // Invariant: ZeroMQ copies the bytes before it returns; an empty buffer may have no address.
        while zmq_send(handle.raw, bytes.baseAddress, bytes.count, flags) < 0 {
            switch zmq_errno() {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            case EHOSTUNREACH: return .unreachable
            default: throw ZeroMQError("send")
            }
        }
        return .sent
    }
}

/// A frame and whether the message ends with it.
private struct Part: ~Copyable {
    let frame: Frame
    let isLast: Bool

    /// The frame alone.
    consuming func takeFrame() -> Frame { frame }
}
