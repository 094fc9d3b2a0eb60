import ApusModel
import ApusProtocol
import Testing

@testable import ApusCoordinator

@Suite struct OperatorMessagesTests {
    @Test func `Settings read back, and what is absent stays as it is`() throws {
        #expect(try WorkerSettings(Apus_V1_Configure()) == WorkerSettings())
        #expect(Apus_V1_Configure(WorkerSettings()) == Apus_V1_Configure())
        let settings = WorkerSettings(
            batchMinimum: 2,
            batchMaximum: 9,
            policy: .aimd,
            interTokenTarget: .milliseconds(40),
            networkStability: 0
        )
        #expect(try WorkerSettings(Apus_V1_Configure(settings)) == settings)
    }

    @Test func `What no worker can do is refused with the range`() {
        let changes: [(inout Apus_V1_Configure) -> Void] = [
            { $0.policy = "magic" },
            { $0.batchMinimum = .max },
            { $0.batchMaximum = UInt32(Limits.slots) + 1 },
            {
                $0.batchMinimum = 3
                $0.batchMaximum = 2
            },
            { $0.interTokenMs = 60_001 },
            { $0.networkStability = .nan },
            { $0.networkStability = .infinity },
            { $0.networkStability = -1 },
        ]
        for change in changes {
            var wire = Apus_V1_Configure()
            change(&wire)
            #expect {
                try WorkerSettings(wire).validate()
            } throws: {
                ($0 as? ApusError)?.code == .invalidRequest
            }
        }
    }
}
