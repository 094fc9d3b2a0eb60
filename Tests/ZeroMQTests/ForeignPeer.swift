import CZeroMQ
import Glibc

@testable import ZeroMQ

/// A dealer that does what our own sockets cannot: names itself, sends several frames.
final class ForeignDealer {
    private let raw: UnsafeMutableRawPointer

    init(_ context: ZeroMQContext, to endpoint: String, identity: [UInt8]? = nil) throws {
        guard let raw = zmq_socket(context.raw, ZMQ_DEALER) else { throw Overdue(what: "a socket") }
        self.raw = raw
        var zero: CInt = 0
        zmq_setsockopt(raw, ZMQ_LINGER, &zero, MemoryLayout<CInt>.size)
        if let identity { zmq_setsockopt(raw, ZMQ_ROUTING_ID, identity, identity.count) }
        guard zmq_connect(raw, endpoint) == 0 else { throw Overdue(what: "a connection") }
    }

    deinit { zmq_close(raw) }

    /// Sends one message of some frames.
    func send(_ frames: [UInt8]...) { sendParts(frames, through: raw) }
}

/// Sends one message of some frames, which our own sockets never do.
func sendParts(_ frames: [[UInt8]], through raw: UnsafeMutableRawPointer) {
    for (index, frame) in frames.enumerated() {
        zmq_send(raw, frame, frame.count, index == frames.count - 1 ? 0 : ZMQ_SNDMORE)
    }
}

/// A bare TCP connection to a port of this machine.
final class BareConnection {
    private let descriptor: CInt

    init(to endpoint: String) throws {
        guard let text = endpoint.split(separator: ":").last, let port = UInt16(text) else {
            throw Overdue(what: "a port")
        }
        descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let result = withUnsafeBytes(of: &address) { bytes in
            bytes.withMemoryRebound(to: sockaddr.self) { connect(descriptor, $0.baseAddress, socklen_t(bytes.count)) }
        }
        guard result == 0 else { throw Overdue(what: "a TCP connection") }
    }

    deinit { close(descriptor) }

    /// Writes bytes; a peer that closed already is no failure.
    func write(_ bytes: [UInt8]) {
        _ = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
    }

    /// Reads and forgets until the other side closes.
    func waitForClose() throws {
        var limit = timeval(tv_sec: patience / 1000, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var buffer = [UInt8](repeating: 0, count: 256)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count > 0 || (count < 0 && errno == EINTR) { continue }
            if count < 0 && errno == EAGAIN { throw Overdue(what: "the end of the connection") }
            return
        }
    }
}
