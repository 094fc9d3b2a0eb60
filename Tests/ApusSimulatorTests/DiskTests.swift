import ApusCore
import ApusModel
import Testing

@testable import ApusSimulator

@Suite("The simulated disk")
struct DiskTests {
    private func accepted(_ stream: UInt64, _ durability: Durability, choices: Int = 1) -> JournalRecord {
        guard case .accepted(var record) = Fixture.accepted(stream, place: Int(stream) - 1, choices: choices) else {
            return Fixture.accepted()
        }
        record.request.durability = durability
        return .accepted(record)
    }

    private func commit(_ tokens: [TokenColumns], _ records: [JournalRecord], to disk: inout SimulatedDisk) {
        disk.append(SimulatedBatch(tokens: tokens, records: records))
        disk.sync()
    }

    @Test func `A crash leaves of each job what its durability asks for`() {
        var disk = SimulatedDisk()
        commit(
            [],
            [accepted(1, .released), accepted(2, .accepted), accepted(3, .accepted), accepted(4, .none)],
            to: &disk
        )
        commit((1...4).map { Fixture.tokens(0..<3, of: $0) }, [], to: &disk)
        commit([], [Fixture.ended(stream: 3)], to: &disk)
        #expect((1...4).map { disk.count(of: StreamID(rawValue: $0)) } == [3, 3, 3, 3])
        let loss = disk.crash(.lost)
        disk.open()
        #expect((1...4).map { disk.count(of: StreamID(rawValue: $0)) } == [3, 0, 3, 0])
        #expect(loss.derivedAgain == [StreamID(rawValue: 2)])
        #expect(loss.gone.map(\.stream) == [StreamID(rawValue: 4)])
        #expect(disk.find(key: "k1") != nil)
        #expect(disk.find(key: "k3") == nil)
        #expect(disk.numbersUsed >= 4)
        #expect(disk.batches.count == 3)
    }

    @Test func `Only jobs that have not ended are told to a successor, whole`() {
        var disk = SimulatedDisk()
        commit([], [accepted(1, .released), accepted(2, .released, choices: 2)], to: &disk)
        commit(
            (1...3).map { Fixture.tokens(0..<3, of: $0) },
            [Fixture.ended(stream: 1), Fixture.ended(stream: 2)],
            to: &disk
        )
        let told = disk.recoverable(withEnded: false)
        #expect(told.flatMap(\.records).map(\.firstStream) == [2, 2])
        #expect(told.flatMap(\.tokens).flatMap(\.streams) == [2, 3])
        #expect(disk.recoverable(withEnded: true).flatMap(\.records).count == 4)
    }

    @Test func `A torn batch is dropped by its checksum`() {
        var disk = SimulatedDisk()
        commit([], [accepted(1, .released)], to: &disk)
        disk.append(SimulatedBatch(tokens: [Fixture.tokens(0..<2)], records: [Fixture.ended()]))
        _ = disk.crash(.torn)
        #expect(disk.batches.last?.isWhole == false)
        disk.open()
        #expect(disk.batches.count == 1)
        #expect(disk.end(of: Fixture.stream) == nil)
    }

    @Test func `A batch whose sync failed may be found after a crash, and another one writes over it`() {
        var disk = SimulatedDisk()
        commit([], [accepted(1, .released)], to: &disk)
        disk.refusal = (.syncFails, 10)
        #expect(disk.refuses(at: 9))
        #expect(!disk.refuses(at: 10))
        disk.refuse(SimulatedBatch(tokens: [Fixture.tokens(0..<2)], records: []))
        var dead = disk
        _ = dead.crash(.kept)
        #expect(dead.count(of: Fixture.stream) == 2)
        commit([Fixture.tokens(0..<3)], [], to: &disk)
        _ = disk.crash(.kept)
        #expect(disk.count(of: Fixture.stream) == 3)
        disk.refusal = (.full, 10)
        disk.refuse(SimulatedBatch(tokens: [Fixture.tokens(3..<4)], records: []))
        #expect(disk.uncertain == nil)
    }

    @Test func `Jobs expire whole, the one that ended first before the others, and are found until they are forgotten`()
    {
        var disk = SimulatedDisk()
        commit([], [accepted(1, .released), accepted(2, .released, choices: 2)], to: &disk)
        let late = Timestamp(nanoseconds: 5)
        commit([], [Fixture.ended(stream: 2), Fixture.ended(stream: 3), Fixture.ended(stream: 1, at: late)], to: &disk)
        let now = Timestamp(nanoseconds: 1_000)
        let all = [2, 3, 1].map { StreamID(rawValue: $0) }
        #expect(disk.expired(at: now, retention: .nanoseconds(999), limit: 9) == Array(all[..<2]))
        #expect(disk.expired(at: now, retention: .zero, limit: 9) == all)
        #expect(disk.expired(at: now, retention: .zero, limit: 1) == Array(all[..<2]))
        commit([], [.forgotten(all[0]), .forgotten(all[1])], to: &disk)
        #expect(disk.expired(at: now, retention: .zero, limit: 9) == [all[2]])
        #expect(disk.find(key: "k1") == nil)
        #expect(disk.find(key: "k0")?.ends.compactMap(\.?.reason) == [.stop])
        #expect(disk.find(key: "k0")?.accepted.request.prompt == "")
        #expect(disk.find(key: "k0")?.bulkDigest == Fixture.request.bulkDigest)
    }

    @Test func `Details of tokens are read back with them`() {
        var disk = SimulatedDisk()
        var columns = Fixture.tokens(0..<3)
        columns.detailLengths = [1, 0, 2]
        columns.details = [7, 8, 9]
        commit([Fixture.tokens(0..<2, of: 2), columns], [], to: &disk)
        var read = TokenColumns()
        #expect(disk.read(Fixture.stream, 1..<3, into: &read))
        #expect(read.detailLengths == [0, 2])
        #expect(read.details == [8, 9])
        #expect(columns.rows { $0 == 2 }.isEmpty)
    }
}
