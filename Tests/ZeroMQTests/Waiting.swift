import CZeroMQ
import Testing

@testable import ZeroMQ

/// Nothing came within the time in which it must.
struct Overdue: Error {
    let what: String
}

/// How long a fact may take before a test gives up, in milliseconds: long, because it only matters to a failing test.
let patience = 20_000

/// A routed message that tests can compare.
enum Routed: Equatable {
    case message(Route, [UInt8])
    case malformed(Route?)

    var route: Route? {
        switch self {
        case .message(let route, _): route
        case .malformed(let route): route
        }
    }
}

/// A direct message that tests can compare.
enum Direct: Equatable {
    case message([UInt8])
    case malformed
}

extension Frame {
    /// The payload, copied.
    consuming func bytes() -> [UInt8] { withBytes { Array($0) } }
}

extension Socket {
    /// Waits until the socket is ready.
    borrowing func wait(for events: CInt, _ what: String) throws {
        var item = zmq_pollitem_t(socket: handle.raw, fd: -1, events: CShort(events), revents: 0)
        guard zmq_poll(&item, 1, patience) == 1 else { throw Overdue(what: what) }
    }

    /// Waits for the next message of a router.
    borrowing func nextRouted() throws -> Routed {
        while true {
            switch try receiveRouted() {
            case .none: try wait(for: ZMQ_POLLIN, "a message for the router")
            case .message(let route, let frame): return .message(route, frame.bytes())
            case .malformed(let route): return .malformed(route)
            }
        }
    }

    /// Waits for the next message of a dealer.
    borrowing func nextDirect() throws -> Direct {
        while true {
            switch try receive() {
            case .none: try wait(for: ZMQ_POLLIN, "a message for the dealer")
            case .message(let frame): return .message(frame.bytes())
            case .malformed: return .malformed
            }
        }
    }

    /// Sends as soon as there is a connection.
    borrowing func sendWhenConnected(_ bytes: [UInt8]) throws {
        while try send(bytes) != .sent { try wait(for: ZMQ_POLLOUT, "a connection") }
    }

    /// Says hello to a router.
    ///
    /// - Returns: The route that the router knows this dealer by.
    borrowing func introduce(to router: borrowing Socket) throws -> Route {
        try sendWhenConnected(Array("hello".utf8))
        guard case .message(let route, _) = try router.nextRouted() else { throw Overdue(what: "a hello") }
        return route
    }
}

extension SocketMonitor {
    /// Waits for an event of a kind, passing over others.
    borrowing func next(_ kind: MonitorEvent.Kind) throws -> MonitorEvent {
        while true {
            guard let event = try next() else {
                try inbox.wait(for: ZMQ_POLLIN, "the event \(kind)")
                continue
            }
            if event.kind == kind { return event }
        }
    }
}
