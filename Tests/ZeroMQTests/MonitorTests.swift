import Glibc
import Testing

@testable import ZeroMQ

@Suite("Monitors", .timeLimit(.minutes(1)))
struct MonitorTests {
    let context: ZeroMQContext

    init() throws { context = try ZeroMQContext() }

    @Test("Both sides see a connection come and go, with Nagle's algorithm off on both")
    func comesAndGoes() throws {
        let router = try Socket(context, .router)
        let routerEvents = try router.monitor()
        let endpoint = try router.bind("tcp://127.0.0.1:*")
        #expect(try routerEvents.next(.listening).endpoint == endpoint)
        do {
            let dealer = try Socket(context, .dealer)
            let dealerEvents = try dealer.monitor()
            try dealer.connect(endpoint)
            let connected = try dealerEvents.next(.connected)
            #expect(connected.endpoint == endpoint)
            #expect(hasNoDelay(connected))
            #expect(hasNoDelay(try routerEvents.next(.accepted)))
            _ = try dealerEvents.next(.handshakeSucceeded)
            _ = try routerEvents.next(.handshakeSucceeded)
        }
        _ = try routerEvents.next(.disconnected)
    }

    @Test("A peer that is not there is reported as a try to come")
    func absentPeer() throws {
        let dealer = try Socket(context, .dealer)
        let events = try dealer.monitor()
        try dealer.connect("tcp://127.0.0.1:1")
        _ = try events.next(.closed)
        let retry = try events.next(.connectRetried)
        #expect(retry.endpoint == "tcp://127.0.0.1:1")
        #expect(retry.value <= 1000)
    }

    @Test("A failed handshake is an event")
    func failedHandshake() throws {
        let router = try Socket(context, .router)
        let events = try router.monitor()
        let stranger = try BareConnection(to: try router.bind("tcp://127.0.0.1:*"))
        stranger.write(
            [0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0] + Array("NONSENSE".utf8) + [UInt8](repeating: 0, count: 44)
        )
        _ = try events.next(.handshakeFailed)
    }

    @Test("A monitor may go before its socket, and the socket goes on")
    func monitorFirst() throws {
        let router = try Socket(context, .router)
        do {
            let events = try router.monitor()
            guard try events.next() == nil else {
                Issue.record("an event before anything happened")
                return
            }
        }
        // With nobody to read them, these events would block ZeroMQ's I/O thread.
        let endpoint = try router.bind("tcp://127.0.0.1:*")
        for _ in 0..<50 {
            let dealer = try Socket(context, .dealer)
            try dealer.connect(endpoint)
            _ = try dealer.introduce(to: router)
        }
    }

    @Test("A socket may go before its monitor, which then ends")
    func socketFirst() throws {
        let events: SocketMonitor
        do {
            let router = try Socket(context, .router)
            events = try router.monitor()
            try router.bind("tcp://127.0.0.1:*")
        }
        _ = try events.next(.monitorStopped)
        let rest = try events.next()
        #expect(rest == nil)
    }

    @Test("A second monitor takes over, and the first one's end does not stop it")
    func secondMonitor() throws {
        let router = try Socket(context, .router)
        let second: SocketMonitor
        do {
            let first = try router.monitor()
            second = try router.monitor()
            _ = try first.next(.monitorStopped)
        }
        try router.bind("tcp://127.0.0.1:*")
        _ = try second.next(.listening)
    }

    @Test("More events than a queue holds do not stop the traffic")
    func unreadEvents() throws {
        let router = try Socket(context, .router)
        let events = try router.monitor()
        let endpoint = try router.bind("tcp://127.0.0.1:*")
        // Each connection makes three events, and ZeroMQ's default queue holds 2,000 between two sockets.
        for _ in 0..<750 { _ = try BareConnection(to: endpoint) }
        let dealer = try Socket(context, .dealer)
        try dealer.connect(endpoint)
        _ = try dealer.introduce(to: router)
        var count = 0
        while try events.next() != nil { count += 1 }
        #expect(count > 2000)
    }

    private func hasNoDelay(_ event: MonitorEvent) -> Bool {
        var value: CInt = 0
        var size = socklen_t(MemoryLayout<CInt>.size)
        let result = getsockopt(CInt(event.value), CInt(IPPROTO_TCP), TCP_NODELAY, &value, &size)
        return result == 0 && value != 0
    }
}
