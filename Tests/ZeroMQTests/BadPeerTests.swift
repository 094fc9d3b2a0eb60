import Testing

@testable import ZeroMQ

@Suite("Peers that misbehave", .timeLimit(.minutes(1)))
struct BadPeerTests {
    let context: ZeroMQContext

    init() throws { context = try ZeroMQContext() }

    @Test("An oversized frame ends that peer's connection and no other")
    func oversizedFrame() throws {
        let router = try Socket(context, .router, SocketOptions(maximumMessageBytes: 1024))
        let monitor = try router.monitor()
        let endpoint = try router.bind("tcp://127.0.0.1:*")
        let good = try Socket(context, .dealer)
        try good.connect(endpoint)
        let route = try good.introduce(to: router)
        let bad = try ForeignDealer(context, to: endpoint)
        bad.send([UInt8](repeating: 0, count: 1024))
        let largest = try router.nextRouted()
        #expect(largest == .message(try #require(largest.route), [UInt8](repeating: 0, count: 1024)))

        bad.send([UInt8](repeating: 0, count: 1025))
        _ = try monitor.next(.disconnected)

        try good.sendWhenConnected([1, 2, 3])
        #expect(try router.nextRouted() == .message(route, [1, 2, 3]))
        let answer = try router.send([4], to: route)
        #expect(answer == .sent)
        #expect(try good.nextDirect() == .message([4]))
    }

    @Test("A multipart message is malformed, and the peer's next good message arrives")
    func multipartToRouter() throws {
        let router = try Socket(context, .router)
        let endpoint = try router.bind("tcp://127.0.0.1:*")
        let peer = try ForeignDealer(context, to: endpoint)
        peer.send([1], [2])
        peer.send([], [], [3], [4], [])
        peer.send([5])
        let first = try router.nextRouted()
        let route = try #require(first.route)
        #expect(first == .malformed(route))
        #expect(try router.nextRouted() == .malformed(route))
        #expect(try router.nextRouted() == .message(route, [5]))
    }

    @Test("A multipart message to a pair is malformed, and the next good message arrives")
    func multipartToPair() throws {
        let pair = try Socket(context, .pair)
        try pair.bind("inproc://multipart")
        let peer = try Socket(context, .pair)
        try peer.connect("inproc://multipart")
        sendParts([[1], [2], [3]], through: peer.handle.raw)
        sendParts([[4]], through: peer.handle.raw)
        #expect(try pair.nextDirect() == .malformed)
        #expect(try pair.nextDirect() == .message([4]))
    }

    @Test(
        "A peer that names itself is malformed and has no route",
        arguments: [Array("w".utf8), Array("worker-1".utf8), [1, 2, 3, 4, 5]] as [[UInt8]]
    )
    func ownIdentity(_ identity: [UInt8]) throws {
        let router = try Socket(context, .router)
        let endpoint = try router.bind("tcp://127.0.0.1:*")
        let peer = try ForeignDealer(context, to: endpoint, identity: identity)
        peer.send([1])
        peer.send([1], [2])
        #expect(try router.nextRouted() == .malformed(nil))
        #expect(try router.nextRouted() == .malformed(nil))
        let good = try Socket(context, .dealer)
        try good.connect(endpoint)
        _ = try good.introduce(to: router)
    }

    @Test(
        "A TCP peer that speaks something else is dropped and disturbs nobody",
        arguments: [
            Array("GET / HTTP/1.1\r\n\r\n".utf8),
            // ZeroMQ's greeting with a mechanism that does not exist.
            [0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0] + Array("NONSENSE".utf8) + [UInt8](repeating: 0, count: 44),
            [],
        ] as [[UInt8]]
    )
    func garbage(_ bytes: [UInt8]) throws {
        let router = try Socket(context, .router, SocketOptions(handshakeInterval: .milliseconds(100)))
        let endpoint = try router.bind("tcp://127.0.0.1:*")
        let good = try Socket(context, .dealer)
        try good.connect(endpoint)
        let route = try good.introduce(to: router)
        let stranger = try BareConnection(to: endpoint)
        stranger.write(bytes)
        try good.sendWhenConnected([1])
        #expect(try router.nextRouted() == .message(route, [1]))
        try stranger.waitForClose()
        try good.sendWhenConnected([2])
        #expect(try router.nextRouted() == .message(route, [2]))
    }

    @Test("A send to a peer that left is unreachable, as is one to a peer that never was")
    func gonePeer() throws {
        let router = try Socket(context, .router)
        let monitor = try router.monitor()
        let endpoint = try router.bind("tcp://127.0.0.1:*")
        let never = try router.send([1], to: Route(rawValue: 1))
        #expect(never == .unreachable)
        let route: Route
        do {
            let dealer = try Socket(context, .dealer)
            try dealer.connect(endpoint)
            route = try dealer.introduce(to: router)
            let sent = try router.send([1], to: route)
            #expect(sent == .sent)
        }
        _ = try monitor.next(.disconnected)
        // The socket hears of it by a command from the I/O thread, within a millisecond or so of the event. Until then its
        // queue for the peer takes messages; if that fills up, only a receive makes the router let go of the peer.
        let end = ContinuousClock.now + .milliseconds(patience)
        var result = SendResult.sent
        while result != .unreachable, ContinuousClock.now < end {
            guard case .none = try router.receiveRouted() else { throw Overdue(what: "silence") }
            result = try router.send([1], to: route)
        }
        #expect(result == .unreachable)
    }

    @Test("A peer that stops reading makes sends to it refuse, others go on, and it can catch up")
    func stoppedPeer() throws {
        let router = try Socket(context, .router, SocketOptions(sendHighWaterMark: 4))
        let endpoint = try router.bind("tcp://127.0.0.1:*")
        let slow = try Socket(context, .dealer, SocketOptions(receiveHighWaterMark: 4))
        let quick = try Socket(context, .dealer)
        try slow.connect(endpoint)
        try quick.connect(endpoint)
        let slowRoute = try slow.introduce(to: router)
        let quickRoute = try quick.introduce(to: router)

        let payload = [UInt8](repeating: 9, count: 1 << 18)
        var taken = 0
        // The kernel's buffers hold a few MiB; what is in flight has settled when many tries in a row are refused.
        var refusals = 0
        while refusals < 1000, taken < 10_000 {
            switch try router.send(payload, to: slowRoute) {
            case .sent: (taken, refusals) = (taken + 1, 0)
            case .wouldBlock: refusals += 1
            case .unreachable: throw Overdue(what: "a refusal")
            }
        }
        #expect(refusals == 1000)
        let other = try router.send([1], to: quickRoute)
        #expect(other == .sent)
        #expect(try quick.nextDirect() == .message([1]))

        for _ in 0..<taken { #expect(try slow.nextDirect() == .message(payload)) }
        let end = ContinuousClock.now + .milliseconds(patience)
        var result = SendResult.wouldBlock
        while result == .wouldBlock, ContinuousClock.now < end { result = try router.send([2], to: slowRoute) }
        #expect(result == .sent)
    }
}
