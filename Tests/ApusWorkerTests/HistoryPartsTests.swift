import ApusModel
import ApusProtocol
import Testing

@testable import ApusWorker

@Suite("Histories in parts")
struct HistoryPartsTests {
    private func part(_ stream: UInt64, _ epoch: UInt32, _ ids: Range<Int32>) -> Apus_V1_History {
        var part = Apus_V1_History()
        part.stream = stream
        part.epoch = epoch
        part.ids = Array(ids)
        return part
    }

    private func assign(_ stream: UInt64, _ epoch: UInt32, _ ids: Range<Int32>, before: UInt64) -> Apus_V1_Assign {
        var assign = Apus_V1_Assign()
        assign.stream = stream
        assign.epoch = epoch
        assign.history = Array(ids)
        assign.historyBefore = before
        return assign
    }

    @Test("Parts come before their assignment's own tokens, and an ordinary assignment is left alone")
    func whole() throws {
        var parts = HistoryParts()
        #expect(try parts.complete(assign(1, 1, 0..<3, before: 0)).history == [0, 1, 2])
        try parts.take(part(7, 2, 0..<4))
        try parts.take(part(7, 2, 4..<6))
        #expect(try parts.complete(assign(7, 2, 6..<7, before: 6)).history == Array(0..<7))
        #expect(throws: ApusError.self) { try parts.complete(assign(7, 2, 6..<7, before: 6)) }
    }

    @Test("An assignment whose parts are missing or another attempt's is refused")
    func incomplete() throws {
        var parts = HistoryParts()
        try parts.take(part(7, 1, 0..<4))
        try parts.take(part(7, 2, 0..<2))
        #expect(throws: ApusError.self) { try parts.complete(assign(7, 2, 4..<5, before: 4)) }
        try parts.take(part(7, 3, 0..<4))
        #expect(throws: ApusError.self) { try parts.complete(assign(8, 3, 4..<5, before: 4)) }
    }

    @Test("No more tokens are held than a stream can have")
    func bounded() throws {
        var parts = HistoryParts()
        try parts.take(part(7, 1, 0..<Int32(Limits.maximumTokens)))
        #expect(throws: ApusError.self) { try parts.take(part(7, 1, 0..<1)) }
    }
}
