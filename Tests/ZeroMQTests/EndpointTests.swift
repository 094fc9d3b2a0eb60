import Testing

@testable import ZeroMQ

@Suite("Endpoints", .timeLimit(.minutes(1)))
struct EndpointTests {
    let context: ZeroMQContext

    init() throws { context = try ZeroMQContext() }

    private func failure(_ body: () throws -> Void) -> ZeroMQError? {
        do { try body() } catch { return error as? ZeroMQError }
        return nil
    }

    @Test("Binding port * returns the port that was taken")
    func bindsAnyPort() throws {
        let first = try Socket(context, .router)
        let second = try Socket(context, .router)
        let endpoints = [try first.bind("tcp://127.0.0.1:*"), try second.bind("tcp://127.0.0.1:*")]
        #expect(Set(endpoints).count == 2)
        for endpoint in endpoints {
            let port = try #require(endpoint.split(separator: ":").last.flatMap { UInt16($0) })
            #expect(endpoint == "tcp://127.0.0.1:\(port)")
            #expect(port > 0)
        }
    }

    @Test("A port in use gives an error that says so, names the endpoint and says what to do")
    func reportsPortInUse() throws {
        let first = try Socket(context, .router)
        let endpoint = try first.bind("tcp://127.0.0.1:*")
        let error = try #require(
            failure {
                let second = try Socket(context, .router)
                try second.bind(endpoint)
            }
        )
        #expect(error.isAddressInUse)
        #expect(!error.isInvalidEndpoint)
        #expect(error.endpoint == endpoint)
        #expect(error.description.hasPrefix("cannot bind \(endpoint): Address already in use. "))
        #expect(error.description.contains("choose another port"))
    }

    @Test(
        "An endpoint that cannot work gives an error that shows one that can",
        arguments: ["127.0.0.1:5555", "tcp://", "tcp://127.0.0.1", "tcp://127.0.0.1:99999", "carrier-pigeon://x:1", ""]
    )
    func reportsBadEndpoint(_ endpoint: String) throws {
        let bound = try #require(
            failure {
                let socket = try Socket(context, .router)
                try socket.bind(endpoint)
            }
        )
        let connected = try #require(
            failure {
                let socket = try Socket(context, .dealer)
                try socket.connect(endpoint)
            }
        )
        for error in [bound, connected] {
            #expect(error.isInvalidEndpoint)
            #expect(!error.isAddressInUse)
            #expect(error.description.contains("tcp://127.0.0.1:5555"))
        }
    }

    @Test("An address of another machine is not bound, and the error says why")
    func reportsForeignAddress() throws {
        // 192.0.2.0/24 is reserved for documentation (RFC 5737): no machine has it.
        let error = try #require(
            failure {
                let socket = try Socket(context, .router)
                try socket.bind("tcp://192.0.2.1:5555")
            }
        )
        #expect(error.isInvalidEndpoint)
        #expect(error.description.contains("No interface of this machine"))
    }

    @Test("Only what was connected can be disconnected")
    func disconnectsOnce() throws {
        let router = try Socket(context, .router)
        let endpoint = try router.bind("tcp://127.0.0.1:*")
        let dealer = try Socket(context, .dealer)
        try dealer.connect(endpoint)
        try dealer.disconnect(endpoint)
        var error: ZeroMQError?
        do { try dealer.disconnect(endpoint) } catch let failure { error = failure }
        #expect(error?.description.hasPrefix("cannot disconnect from \(endpoint)") == true)
        #expect(error?.isTerminated == false)
    }

    @Test("A context ends when its last socket is gone, not before")
    func contextFollowsSockets() throws {
        weak var ended: ZeroMQContext?
        do {
            let socket: Socket
            do {
                let context = try ZeroMQContext(ioThreads: 2)
                ended = context
                socket = try Socket(context, .router)
            }
            #expect(ended != nil)
            try socket.bind("tcp://127.0.0.1:*")
        }
        #expect(ended == nil)
    }
}
