import ApusModel

/// A 64-bit checksum against accidents of storage, fast enough for every token: 8 bytes a step.
///
/// Each step is a bijection of the state for a given word and of the word for a given state, so that a change within a single
/// word never goes unnoticed, and others with a probability of 2^-64. It is no protection against an adversary.
struct Checksum {
    private var state: UInt64

    /// Begins with what the bytes are about, so that equal bytes elsewhere have another checksum.
    init(_ subject: UInt64) {
        state = (subject ^ 0x9e37_79b9_7f4a_7c15).mixed
    }

    /// The checksum of all that was added, as SQLite keeps integers.
    var value: Int64 { Int64(bitPattern: state.mixed) }

    /// Adds one word.
    mutating func add(_ word: UInt64) {
        state = (state ^ word) &* 0xd6e8_feb8_6659_fd93
        state ^= state >> 32
    }

    /// Adds a number.
    mutating func add(_ number: Int64) { add(UInt64(bitPattern: number)) }

    /// Adds a number or its absence.
    mutating func add(_ number: Int64?) {
        add(number == nil ? 0 : 1 as UInt64)
        add(number ?? 0)
    }

    /// Adds a text with its length.
    mutating func add(_ text: String) {
        var text = text
        text.withUTF8 { add(UnsafeRawBufferPointer($0)) }
    }

    /// Adds bytes with their number.
    mutating func add(_ bytes: UnsafeRawBufferPointer) {
        add(UInt64(bytes.count))
        let whole = bytes.count & ~7
        var offset = 0
        while offset < whole {
            add(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)))
            offset += 8
        }
        guard offset < bytes.count else { return }
        var rest: UInt64 = 0
        for place in offset..<bytes.count { rest = rest << 8 | UInt64(bytes[place]) }
        add(rest)
    }
}
