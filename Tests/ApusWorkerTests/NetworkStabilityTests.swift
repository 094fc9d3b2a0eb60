import Testing

@testable import ApusWorker

@Suite("Network stability")
struct NetworkStabilityTests {
    @Test("A steady connection is never spoken of, nor is a single hitch")
    func steady() {
        var network = NetworkStability()
        for look in 0..<100 {
            #expect(network.measured(isConnected: true, waitingFor: look % 10 == 9 ? .seconds(1) : .zero) == nil)
        }
    }

    @Test("Frames on their way say nothing, frames that nobody takes do")
    func waiting() {
        var network = NetworkStability()
        for _ in 0..<100 { #expect(network.measured(isConnected: true, waitingFor: .milliseconds(5)) == nil) }
        let stuck = (0..<4).compactMap { _ in network.measured(isConnected: true, waitingFor: .milliseconds(80)) }
        #expect(stuck.count == 1)
    }

    @Test("A lost connection is told of once it counts as unsteady and at every fourth look after, and its return once")
    func lost() {
        var network = NetworkStability()
        let down = (0..<12).map { _ in network.measured(isConnected: false, waitingFor: .zero) }
        #expect(
            down.map { $0 != nil } == [false, true] + [
                false, false, false, true, false, false, false, true, false, false,
            ]
        )
        #expect(down.compactMap { $0 }.allSatisfy { $0 < 0.7 })
        let up = (0..<12).compactMap { _ in network.measured(isConnected: true, waitingFor: .zero) }
        #expect(up.filter { $0 >= 0.7 }.count == 1)
        #expect(network.measured(isConnected: true, waitingFor: .zero) == nil)
    }
}
