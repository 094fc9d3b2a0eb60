import Testing

@testable import ApusWorker

@Suite("Network stability")
struct NetworkStabilityTests {
    @Test("A steady connection is never spoken of, nor is a single hitch")
    func steady() {
        var network = NetworkStability()
        for look in 0..<100 { #expect(network.measured(isConnected: true, waits: look % 10 == 9) == nil) }
    }

    @Test("A lost connection is told of once it counts as unsteady and at every fourth look after, and its return once")
    func lost() {
        var network = NetworkStability()
        let down = (0..<12).map { _ in network.measured(isConnected: false, waits: false) }
        #expect(
            down.map { $0 != nil } == [false, true] + [
                false, false, false, true, false, false, false, true, false, false,
            ]
        )
        #expect(down.compactMap { $0 }.allSatisfy { $0 < 0.7 })
        let up = (0..<12).compactMap { _ in network.measured(isConnected: true, waits: false) }
        #expect(up.filter { $0 >= 0.7 }.count == 1)
        #expect(network.measured(isConnected: true, waits: false) == nil)
    }
}
