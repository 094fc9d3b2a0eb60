import CZeroMQ

/// libzmq as C programs use it, without Apus's wrapper: the peer of the relay benchmark must not pay for what it is compared with.
///
/// Invariants of every call in this file:
/// - a context outlives its sockets: it is borrowed by whatever opens one, and the caller keeps it to the end of its role;
/// - a socket is used by the one thread that made it, for it is neither copied nor sent;
/// - a buffer belongs to the caller, outlives its call, and is not touched beyond the length that is passed with it.
///
/// Results are not checked beyond lengths: these processes live for one measurement, whose sink counts every message.
struct BareContext: ~Copyable {
    fileprivate let raw = zmq_ctx_new()

    deinit { zmq_ctx_term(raw) }
}

/// A bare socket.
struct BareSocket: ~Copyable {
    /// The two kinds that a relay needs.
    enum Kind {
        case router
        case dealer
    }

    private let raw: UnsafeMutableRawPointer?

    /// Opens a socket with queues deep enough for a measurement; a router fails where it has no route, as Apus's do.
    init(_ context: borrowing BareContext, _ kind: Kind) {
        raw = zmq_socket(context.raw, kind == .router ? ZMQ_ROUTER : ZMQ_DEALER)
        var depth: Int32 = 100_000
        zmq_setsockopt(raw, ZMQ_SNDHWM, &depth, 4)
        zmq_setsockopt(raw, ZMQ_RCVHWM, &depth, 4)
        guard kind == .router else { return }
        var mandatory: Int32 = 1
        zmq_setsockopt(raw, ZMQ_ROUTER_MANDATORY, &mandatory, 4)
    }

    deinit { zmq_close(raw) }

    /// Binds to a free port of the loopback interface.
    ///
    /// - Returns: The endpoint.
    func bind() -> String {
        zmq_bind(raw, "tcp://127.0.0.1:*")
        var text = [CChar](repeating: 0, count: 128)
        var length = text.count
        zmq_getsockopt(raw, ZMQ_LAST_ENDPOINT, &text, &length)
        // The length counts the terminating zero.
        return String(decoding: text.prefix(length - 1).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Connects in the background.
    func connect(_ endpoint: String) {
        zmq_connect(raw, endpoint)
    }

    /// Sends the first `length` bytes; blocks while the queue is full.
    @inline(__always)
    func send(_ bytes: [UInt8], _ length: Int, more: Bool = false) {
        zmq_send(raw, bytes, length, more ? ZMQ_SNDMORE : 0)
    }

    /// Blocks until a part comes, and cuts it to the buffer.
    ///
    /// - Returns: Its length.
    @inline(__always)
    func receive(_ buffer: inout [UInt8]) -> Int {
        min(Int(zmq_recv(raw, &buffer, buffer.count, 0)), buffer.count)
    }
}
