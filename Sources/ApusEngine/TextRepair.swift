/// Turns a stream of bytes into whole, valid UTF-8, a byte at a time.
///
/// The bytes of an unfinished character are kept until it is complete; bytes that can't be part of one become U+FFFD,
/// one for each maximal part of a character, as the WHATWG Encoding Standard's UTF-8 decoder does it. The result depends
/// on the bytes alone, never on how they were cut into tokens.
struct TextRepair: Sendable {
    /// The character in work: at most 3 bytes, the first in the lowest 8 bits.
    private var partial: UInt32 = 0
    private var seen: UInt32 = 0
    private var missing: UInt32 = 0
    private var lowest: UInt8 = 0x80
    private var highest: UInt8 = 0xBF

    /// Whether no character is unfinished.
    var isWhole: Bool { missing == 0 }

    /// Whether bytes are whole, valid characters by themselves, so that nothing needs repair.
    static func isWhole(_ text: [UInt8], from start: Int) -> Bool {
        var bits: UInt8 = 0
        for place in start..<text.count { bits |= text[place] }
        if bits < 0x80 { return true }
        var repair = TextRepair()
        for place in start..<text.count {
            guard repair.advance(text[place]) else { return false }
        }
        return repair.isWhole
    }

    /// Takes a byte and appends what is now complete.
    mutating func accept(_ byte: UInt8, to text: inout [UInt8]) {
        if advance(byte) {
            guard missing == 0 else { return }
            for place in 0..<seen { text.append(UInt8(truncatingIfNeeded: partial >> (8 * place))) }
            return
        }
        let cutsShort = missing > 0
        missing = 0
        text.append(contentsOf: Self.replacement)
        // The byte that cuts a character short may begin the next one.
        if cutsShort { accept(byte, to: &text) }
    }

    /// Replaces an unfinished character by U+FFFD; does nothing where there is none.
    mutating func finish(to text: inout [UInt8]) {
        guard missing > 0 else { return }
        missing = 0
        text.append(contentsOf: Self.replacement)
    }

    private static let replacement: [UInt8] = [0xEF, 0xBF, 0xBD]

    /// Takes a byte into the character in work; `missing` is 0 afterwards where it is complete.
    ///
    /// - Returns: `false`, and nothing is changed, for a byte that can't come here.
    private mutating func advance(_ byte: UInt8) -> Bool {
        if missing > 0 {
            guard (lowest...highest).contains(byte) else { return false }
            partial |= UInt32(byte) << (8 * seen)
            seen += 1
            missing -= 1
            lowest = 0x80
            highest = 0xBF
            return true
        }
        switch byte {
        case 0x00...0x7F: missing = 0
        case 0xC2...0xDF: missing = 1
        case 0xE0...0xEF: missing = 2
        case 0xF0...0xF4: missing = 3
        default: return false
        }
        // No overlong forms, no surrogates, nothing above U+10FFFF.
        lowest = byte == 0xE0 ? 0xA0 : byte == 0xF0 ? 0x90 : 0x80
        highest = byte == 0xED ? 0x9F : byte == 0xF4 ? 0x8F : 0xBF
        partial = UInt32(byte)
        seen = 1
        return true
    }
}
