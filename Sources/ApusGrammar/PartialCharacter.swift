/// The bytes of a UTF-8 character whose rest hasn't come yet.
struct PartialCharacter: Hashable, Sendable {
    /// The bits that came.
    private(set) var value: UInt32
    /// How many bytes are missing; 0: no character has begun.
    private(set) var missing: UInt8
    /// How many bytes the character has.
    private(set) var length: UInt8

    /// Between two characters.
    static let none = PartialCharacter(value: 0, missing: 0, length: 0)

    /// Where a byte leads.
    enum Step {
        /// A character is complete.
        case scalar(UInt32)
        /// More bytes have to come; the characters that they can make are within the range.
        case partial(PartialCharacter, ClosedRange<UInt32>)
        /// No UTF-8 text goes on like this.
        case invalid
    }

    /// Takes a byte.
    func step(_ byte: UInt8) -> Step {
        if missing == 0 {
            switch byte {
            case 0x00...0x7F: return .scalar(UInt32(byte))
            case 0xC2...0xDF: return PartialCharacter(value: UInt32(byte & 0x1F), missing: 1, length: 2).asStep
            case 0xE0...0xEF: return PartialCharacter(value: UInt32(byte & 0x0F), missing: 2, length: 3).asStep
            case 0xF0...0xF4: return PartialCharacter(value: UInt32(byte & 0x07), missing: 3, length: 4).asStep
            default: return .invalid
            }
        }
        guard byte & 0xC0 == 0x80 else { return .invalid }
        var next = self
        next.value = value << 6 | UInt32(byte & 0x3F)
        next.missing -= 1
        return next.asStep
    }

    /// The partial character as one number, 0 for none.
    var code: UInt32 { value | UInt32(missing) << 24 | UInt32(length) << 28 }

    private var asStep: Step {
        let shift = UInt32(missing) * 6
        // Shorter forms are the only UTF-8 of characters below these; surrogates are in no set of characters.
        let least: UInt32 = length == 2 ? 0x80 : length == 3 ? 0x800 : 0x1_0000
        let low = max(value << shift, least)
        let high = min(value << shift | (1 << shift - 1), 0x10_FFFF)
        guard low <= high else { return .invalid }
        return missing == 0 ? .scalar(value) : .partial(self, low...high)
    }
}
