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

    /// Takes a byte and appends what is now complete.
    mutating func accept(_ byte: UInt8, to text: inout [UInt8]) {
        if missing > 0 {
            guard (lowest...highest).contains(byte) else {
                finish(to: &text)
                return begin(byte, to: &text)
            }
            lowest = 0x80
            highest = 0xBF
            partial |= UInt32(byte) << (8 * seen)
            seen += 1
            missing -= 1
            if missing == 0 {
                for place in 0..<seen { text.append(UInt8(truncatingIfNeeded: partial >> (8 * place))) }
            }
        } else {
            begin(byte, to: &text)
        }
    }

    /// Replaces an unfinished character by U+FFFD; does nothing where there is none.
    mutating func finish(to text: inout [UInt8]) {
        guard missing > 0 else { return }
        self = TextRepair()
        text.append(contentsOf: Self.replacement)
    }

    private static let replacement: [UInt8] = [0xEF, 0xBF, 0xBD]

    private mutating func begin(_ byte: UInt8, to text: inout [UInt8]) {
        lowest = 0x80
        highest = 0xBF
        switch byte {
        case 0x00...0x7F:
            text.append(byte)
            return
        case 0xC2...0xDF:
            missing = 1
        case 0xE0...0xEF:
            missing = 2
            // No overlong forms and no surrogates.
            if byte == 0xE0 { lowest = 0xA0 }
            if byte == 0xED { highest = 0x9F }
        case 0xF0...0xF4:
            missing = 3
            // No overlong forms and nothing above U+10FFFF.
            if byte == 0xF0 { lowest = 0x90 }
            if byte == 0xF4 { highest = 0x8F }
        default:
            text.append(contentsOf: Self.replacement)
            return
        }
        partial = UInt32(byte)
        seen = 1
    }
}
