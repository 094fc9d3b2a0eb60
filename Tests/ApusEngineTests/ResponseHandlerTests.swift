import ApusModel
import Testing

@testable import ApusEngine

/// The texts of a stream's tokens, and how it ended.
private struct Response: Equatable {
    var texts: [[UInt8]] = []
    var reason: FinishReason?

    var text: String { String(decoding: texts.flatMap { $0 }, as: UTF8.self) }
}

private func respond(
    _ tokens: [[UInt8]],
    stop: [String] = [],
    maximumTokens: Int = 100_000,
    endsAt: Int? = nil,
    ignoresEnd: Bool = false,
    minimumTokens: Int = 0,
    silentTokens: Int = 0
) -> Response {
    let request = GenerationRequest(
        prompt: "p",
        stop: stop,
        ignoresEndOfGeneration: ignoresEnd,
        minimumTokens: minimumTokens
    )
    var handler = ResponseHandler(request: request, maximumTokens: maximumTokens)
    var response = Response()
    for (index, bytes) in tokens.enumerated() {
        var text: [UInt8] = [1, 2, 3] + bytes
        let reason = handler.accept(endsGeneration: index == endsAt, text: &text, from: 3)
        if index >= silentTokens { response.texts.append(Array(text.dropFirst(3))) }
        response.reason = reason
        if reason != nil { break }
    }
    return response
}

private func bytes(_ texts: String...) -> [[UInt8]] { texts.map { Array($0.utf8) } }

@Suite("Response handler")
struct ResponseHandlerTests {
    @Test("Plain text passes token by token")
    func plain() {
        #expect(respond(bytes(" the", " swift")).texts == bytes(" the", " swift"))
    }

    @Test("A character in several tokens comes with the last of them")
    func splitCharacter() {
        let bird = Array("🐦".utf8)
        let response = respond([[bird[0]], [bird[1], bird[2]], [bird[3], 0x21]])
        #expect(response.texts == [[], [], Array("🐦!".utf8)])
    }

    @Test("Bytes that can't become a character are replaced, at the latest at the end")
    func invalidBytes() {
        #expect(respond([[0xFF], [0x41]]).texts == [[0xEF, 0xBF, 0xBD], [0x41]])
        #expect(respond([[0xE2, 0x82], [0x41]]).texts == [[], Array("\u{FFFD}A".utf8)])
        let cut = respond([[0x41], [0xF0, 0x9F]], maximumTokens: 2)
        #expect(cut.texts == [[0x41], [0xEF, 0xBF, 0xBD]])
        #expect(cut.reason == .length)
    }

    @Test("Repair agrees with the standard library on random bytes, whatever the cuts")
    func repairMatchesLibrary() {
        var random = SeededGenerator(seed: 11)
        let interesting: [UInt8] = [0x41, 0x80, 0xBF, 0xC3, 0xC0, 0xE0, 0xE2, 0xED, 0xA0, 0x9F, 0xF0, 0x90, 0xF4, 0xF5]
        for _ in 0..<2_000 {
            let all = (0..<Int.random(in: 1...12, using: &random)).map { _ in
                interesting[Int.random(in: 0..<interesting.count, using: &random)]
            }
            let response = respond(random.cut(all), maximumTokens: 100, endsAt: nil)
            let ended = respond(random.cut(all) + [[]], endsAt: nil, ignoresEnd: false)
            // Without an end the last bytes may be held; an end-of-generation token flushes them.
            let flushed = random.cut(all)
            let complete = respond(flushed + [[]], endsAt: flushed.count)
            #expect(complete.text == String(decoding: all, as: UTF8.self))
            #expect(complete.text.hasPrefix(response.text))
            #expect(response.text == ended.text)
            for text in complete.texts { #expect(String(validating: text, as: UTF8.self) != nil) }
        }
    }

    @Test("A stop string ends the stream and is not shown")
    func stopString() {
        let response = respond(bytes("one ", "two STOP three"), stop: ["STOP"])
        #expect(response.texts == bytes("one ", "two "))
        #expect(response.reason == .stop)
    }

    @Test("A stop string across tokens is held back from its first byte on")
    func stopAcrossTokens() {
        let response = respond(bytes("a S", "T", "O", "P b"), stop: ["STOP"])
        #expect(response.texts == bytes("a ", "", "", ""))
        #expect(response.reason == .stop)
    }

    @Test("Text that only looked like a stop string comes with the token that shows it")
    func falseStart() {
        #expect(respond(bytes("a S", "TO", "RM"), stop: ["STOP"]).texts == bytes("a ", "", "STORM"))
    }

    @Test("Text that is held back comes with the last token")
    func heldAtEnd() {
        let response = respond(bytes("a", " ST"), stop: ["STOP"], maximumTokens: 2)
        #expect(response.texts == bytes("a", " ST"))
        #expect(response.reason == .length)
    }

    @Test("Overlapping beginnings are found", arguments: ["aab", "aaab", "abaab"])
    func overlap(text: String) {
        let response = respond(text.utf8.map { [$0] }, stop: ["aab"])
        #expect(response.reason == .stop)
        #expect(response.text + "aab" == text)
    }

    @Test("The stop string that is complete first wins, and the longest of those")
    func severalStops() {
        #expect(respond(bytes("xabcd"), stop: ["abcd", "bc"]).text == "xa")
        #expect(respond(bytes("xabc"), stop: ["bc", "abc"]).text == "x")
    }

    @Test("The end-of-generation token is a token without text, unless it is ignored")
    func endOfGeneration() {
        let response = respond(bytes("a", "", "b"), endsAt: 1)
        #expect(response.texts == bytes("a", ""))
        #expect(response.reason == .stop)
        let ignoring = respond(bytes("a", "", "b"), endsAt: 1, ignoresEnd: true)
        #expect(ignoring.texts == bytes("a", "", "b"))
        #expect(ignoring.reason == nil)
    }

    @Test("A stop string at the last token counts as stop")
    func stopBeatsLength() {
        #expect(respond(bytes("a", "STOP"), stop: ["STOP"], maximumTokens: 2).reason == .stop)
    }

    @Test("Stop strings count from the token after the minimum on, and are shown before")
    func minimumAndStop() {
        let tokens = bytes("STOP", "ST", "OP", "ST", "OP", "!")
        #expect(respond(tokens, stop: ["STOP"], minimumTokens: 1).texts == bytes("STOP", "", ""))
        // One that begins among the first tokens is none: its beginning is out.
        let later = respond(tokens, stop: ["STOP"], minimumTokens: 2)
        #expect(later.texts == bytes("STOP", "ST", "OP", "", ""))
        #expect(later.reason == .stop)
        #expect(respond(tokens, stop: ["STOP"], minimumTokens: 6).texts == tokens)
    }

    @Test("The model's end counts from the token after the minimum on; the length always does")
    func minimumAndEnd() {
        #expect(respond(bytes("a", "", "b"), endsAt: 1, minimumTokens: 1).reason == .stop)
        #expect(respond(bytes("a", "", "b"), endsAt: 1, minimumTokens: 2).texts == bytes("a", "", "b"))
        let short = respond(bytes("a", "b", "c"), maximumTokens: 2, endsAt: 1, minimumTokens: 3)
        #expect(short.reason == .length)
        #expect(short.texts == bytes("a", "b"))
    }

    @Test("Characters are whole at the border of the minimum", arguments: 0...4)
    func minimumAndCharacters(minimum: Int) {
        let bird = Array("🐦".utf8)
        for stop in [[], ["x"]] {
            let tokens = [[bird[0]], [bird[1], bird[2]], [bird[3], 0x21]]
            let response = respond(tokens, stop: stop, minimumTokens: minimum)
            #expect(response.texts == [[], [], Array("🐦!".utf8)])
        }
    }

    @Test("The text depends on the bytes alone, and a rebuilt handler goes on exactly there")
    func rebuild() {
        var random = SeededGenerator(seed: 3)
        let stops = [[], ["ab"], ["aab", "é"], ["🐦x", "ba", "xx"], ["\u{FFFD}a"]]
        let letters: [UInt8] = Array("ab xé🐦".utf8) + [0xFF]
        for round in 0..<400 {
            let all = (0..<Int.random(in: 1...30, using: &random)).map { _ in
                letters[Int.random(in: 0..<letters.count, using: &random)]
            }
            let stop = stops[round % stops.count]
            let whole = respond([all, []], stop: stop, endsAt: 1)
            let tokens = random.cut(all) + [[]]
            let response = respond(tokens, stop: stop, endsAt: tokens.count - 1)
            #expect(response.text == whole.text, "round \(round)")
            #expect(response.reason == .stop)
            for index in 0..<response.texts.count {
                let rest = respond(tokens, stop: stop, endsAt: tokens.count - 1, silentTokens: index)
                #expect(rest.texts == Array(response.texts[index...]), "round \(round), index \(index)")
            }
            let minimum = round % 7
            let late = respond(tokens, stop: stop, endsAt: tokens.count - 1, minimumTokens: minimum)
            for text in late.texts { #expect(String(validating: text, as: UTF8.self) != nil) }
            #expect(late.texts.count > minimum || late.reason == nil)
            for text in stop {
                let open = late.texts.dropFirst(minimum).flatMap { $0 }
                #expect(!open.contains(Array(text.utf8)), "round \(round)")
            }
            for text in stop where !text.isEmpty { #expect(!response.text.utf8.contains(Array(text.utf8))) }
        }
    }

    @Test("No token releases more than 16 KiB, whatever its own text", arguments: [0x61, 0xFF, 0xC3] as [UInt8])
    func longTokens(byte: UInt8) {
        let held = String(repeating: "a", count: Limits.stopBytes - 1)
        let token = [UInt8](repeating: byte, count: 100_000)
        for stop in [[], [held + "b"]] {
            let response = respond([Array(held.utf8), [0xE2, 0x82], token, token], stop: stop, maximumTokens: 4)
            #expect(response.texts.allSatisfy { $0.count <= 16 << 10 })
            #expect(response.texts.allSatisfy { String(validating: $0, as: UTF8.self) != nil })
            #expect(response.reason == .length)
        }
    }
}

extension SeededGenerator {
    /// Cuts bytes into tokens at random places.
    fileprivate mutating func cut(_ bytes: [UInt8]) -> [[UInt8]] {
        var tokens: [[UInt8]] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = Int.random(in: 0...min(4, rest.count), using: &self)
            tokens.append(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
        return tokens
    }
}
