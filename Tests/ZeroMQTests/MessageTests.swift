import Testing

@testable import ZeroMQ

@Suite("Messages", .timeLimit(.minutes(1)))
struct MessageTests {
    let context: ZeroMQContext

    init() throws { context = try ZeroMQContext() }

    @Test("Payloads travel from dealer to router and back unchanged", arguments: [0, 1, 29, 34, 4096, 1 << 20])
    func roundTrip(_ count: Int) throws {
        let router = try Socket(context, .router)
        let endpoint = try router.bind("tcp://127.0.0.1:*")
        let dealer = try Socket(context, .dealer)
        try dealer.connect(endpoint)
        let payload = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        try dealer.sendWhenConnected(payload)
        let received = try router.nextRouted()
        let route = try #require(received.route)
        #expect(received == .message(route, payload))
        let answer = try router.send(payload.reversed(), to: route)
        #expect(answer == .sent)
        #expect(try dealer.nextDirect() == .message(payload.reversed()))
    }

    @Test("A frame knows its size and lends its bytes more than once")
    func frameLendsBytes() throws {
        let left = try Socket(context, .pair)
        let right = try Socket(context, .pair)
        try left.bind("inproc://frames")
        try right.connect("inproc://frames")
        // 33 bytes are the most that lie inside the message; one more lies outside.
        for count in [0, 33, 34] {
            let sent = try left.send([UInt8](repeating: 7, count: count))
            #expect(sent == .sent)
            guard case .message(let frame) = try right.receive() else { throw Overdue(what: "a frame") }
            let size = frame.count
            let sums = [frame.withBytes { $0.reduce(0) { $0 + Int($1) } }, frame.withBytes { $0.count * 7 }]
            #expect(size == count)
            #expect(sums == [7 * count, 7 * count])
        }
    }

    @Test("An empty inbox gives nothing and does not block")
    func emptyInbox() throws {
        let router = try Socket(context, .router)
        try router.bind("tcp://127.0.0.1:*")
        guard case .none = try router.receiveRouted() else {
            Issue.record("a message from nowhere")
            return
        }
        let dealer = try Socket(context, .dealer)
        guard case .none = try dealer.receive() else {
            Issue.record("a message from nowhere")
            return
        }
    }

    @Test("A dealer without a connection takes no message")
    func noConnection() throws {
        let dealer = try Socket(context, .dealer)
        let unconnected = try dealer.send([1])
        #expect(unconnected == .wouldBlock)
        // Nobody listens on port 1.
        try dealer.connect("tcp://127.0.0.1:1")
        let connecting = try dealer.send([1])
        #expect(connecting == .wouldBlock)
    }

    @Test("A route survives its number and tells peers apart")
    func routes() throws {
        let router = try Socket(context, .router)
        let endpoint = try router.bind("tcp://127.0.0.1:*")
        let first = try Socket(context, .dealer)
        let second = try Socket(context, .dealer)
        try first.connect(endpoint)
        try second.connect(endpoint)
        let routes = [try first.introduce(to: router), try second.introduce(to: router)]
        #expect(Set(routes).count == 2)
        for (index, route) in routes.enumerated() {
            let sent = try router.send([UInt8(index)], to: Route(rawValue: route.rawValue))
            #expect(sent == .sent)
            #expect(route.rawValue <= UInt64(UInt32.max))
        }
        #expect(try first.nextDirect() == .message([0]))
        #expect(try second.nextDirect() == .message([1]))
    }

    @Test("An identity frame is a route only in the form that ZeroMQ makes itself")
    func identities() {
        func route(_ bytes: [UInt8]) -> Route? { bytes.withUnsafeBytes { Route(identity: $0) } }
        #expect(route([0, 0x12, 0x34, 0x56, 0x78]) == Route(rawValue: 0x1234_5678))
        #expect(route([0, 0xff, 0, 0, 1])?.withIdentity { Array($0) } == [0, 0xff, 0, 0, 1])
        #expect(route([1, 0, 0, 0, 0]) == nil)
        #expect(route([0, 0, 0, 0]) == nil)
        #expect(route([0, 0, 0, 0, 0, 0]) == nil)
        #expect(route([]) == nil)
        #expect(Route(rawValue: 0xab).description == "route-ab")
    }
}
