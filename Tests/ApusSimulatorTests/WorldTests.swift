import Testing

@testable import ApusSimulator

@Suite("The simulated world")
struct WorldTests {
}
