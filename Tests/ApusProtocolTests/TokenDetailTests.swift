import ApusModel
import ApusProtocol
import Foundation
import SwiftProtobuf
import Testing

@Suite struct TokenDetailTests {
    private func encoded(_ detail: TokenDetail) -> [UInt8] {
        var bytes: [UInt8] = []
        detail.encode(into: &bytes)
        return bytes
    }

    private static let details: [TokenDetail] = [
        TokenDetail(logprob: -1.5), TokenDetail(logprob: 0), TokenDetail(logprob: -.infinity),
        TokenDetail(
            logprob: -0.25,
            top: [
                .init(id: TokenID(rawValue: 0), logprob: 0, text: []),
                .init(id: TokenID(rawValue: 127), logprob: -0.5, text: Array("a".utf8)),
                .init(id: TokenID(rawValue: 128), logprob: -100, text: [0xe2, 0x82]),
                .init(id: TokenID(rawValue: .max), logprob: -.infinity, text: Array(repeating: 0x41, count: 300)),
                .init(id: TokenID(rawValue: -1), logprob: -3, text: [0]),
            ]
        ),
    ]

    @Test(arguments: details)
    func `Details survive their encoding`(detail: TokenDetail) {
        #expect(TokenDetail(encoded: encoded(detail)) == detail)
    }

    @Test(arguments: details)
    func `The encoding is that of the generated code`(detail: TokenDetail) throws {
        var wire = Apus_V1_TokenDetail()
        // Only the sign of a zero differs, so that there are bytes at all.
        wire.logprob = detail.logprob == 0 ? -0.0 : detail.logprob
        wire.top = detail.top.map { alternative in
            var wire = Apus_V1_Alternative()
            wire.id = alternative.id.rawValue
            wire.logprob = alternative.logprob
            wire.text = Data(alternative.text)
            return wire
        }
        let expected: [UInt8] = try wire.serializedBytes()
        #expect(encoded(detail) == expected)
    }

    @Test func `Bytes that are no details are none`() {
        #expect(TokenDetail(encoded: []) == nil)
        for bytes: [UInt8] in [[0xff], [0x0d, 1, 2], [0x12, 200], Array(repeating: 0xff, count: 64)] {
            #expect(TokenDetail(encoded: bytes) == nil)
        }
        // Too many alternatives of a hostile peer are cut.
        let many = [UInt8](repeating: 0, count: 0) + (0..<8_000).flatMap { _ in [0x12, 0x00] as [UInt8] }
        #expect(TokenDetail(encoded: many)?.top.count == Limits.alternatives)
    }

    @Test func `Columns keep details on the wire, and without any nothing is written`() throws {
        var columns = TokenColumns()
        columns.streams = [7]
        columns.firstIndexes = [0]
        columns.counts = [2]
        columns.ids = [5, 6]
        columns.textLengths = [1, 1]
        columns.text = Array("ab".utf8)
        let plain: [UInt8] = try Apus_V1_TokenColumns(columns).serializedBytes()
        #expect(TokenColumns(try Apus_V1_TokenColumns(serializedBytes: plain)) == columns)
        columns.detailLengths = [0, 3]
        columns.details = [1, 2, 3]
        let detailed: [UInt8] = try Apus_V1_TokenColumns(columns).serializedBytes()
        let back = TokenColumns(try Apus_V1_TokenColumns(serializedBytes: detailed))
        #expect(back == columns)
        #expect(back.isValid)
        #expect(detailed.count == plain.count + 2 + 2 + 2 + 3)
    }
}
