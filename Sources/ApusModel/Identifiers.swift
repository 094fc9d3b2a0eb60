/// A job's public name: 64 bits, written as 13 letters of Crockford's base 32.
///
/// The coordinator assigns it at acceptance. It names the job to every command and survives the client that submitted it.
public struct JobID: Hashable, Sendable {
    /// The identifier's bits.
    public let rawValue: UInt64

    /// Wraps the identifier's bits.
    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }
}

extension JobID: LosslessStringConvertible {
    private static let alphabet = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)
    private static let length = 13

    /// The identifier in lower-case Crockford base 32, most significant letter first.
    public var description: String {
        String(
            decoding: (0..<Self.length).map { place in
                Self.alphabet[Int(truncatingIfNeeded: rawValue >> UInt64(5 * (Self.length - 1 - place))) & 31]
            },
            as: UTF8.self
        )
    }

    /// Reads what `description` writes; letters may be upper case.
    ///
    /// - Returns: `nil` for another length, a letter outside the alphabet or a value over 64 bits.
    public init?(_ description: String) {
        let letters = description.lowercased().utf8
        guard letters.count == Self.length else { return nil }
        var value: UInt64 = 0
        for letter in letters {
            guard let digit = Self.alphabet.firstIndex(of: letter), value >> 59 == 0 else { return nil }
            value = value << 5 | UInt64(digit)
        }
        self.init(rawValue: value)
    }
}

/// One generation of a job, numbered by the coordinator; every message of the token path names its stream by this.
public struct StreamID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The stream's number.
    public let rawValue: UInt64

    /// Wraps a stream's number.
    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// The number in decimal digits.
    public var description: String { String(rawValue) }

    /// Orders streams by their acceptance.
    public static func < (left: StreamID, right: StreamID) -> Bool { left.rawValue < right.rawValue }
}

/// The number of an attempt of a stream; a higher epoch fences every lower one.
public struct Epoch: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The attempt's number; 0 before the first attempt.
    public let rawValue: UInt32

    /// The state before the first attempt.
    public static let none = Epoch(rawValue: 0)

    /// Wraps an attempt's number.
    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// The epoch of the next attempt.
    public var next: Epoch { Epoch(rawValue: rawValue + 1) }

    /// The number in decimal digits.
    public var description: String { String(rawValue) }

    /// Orders epochs by age.
    public static func < (left: Epoch, right: Epoch) -> Bool { left.rawValue < right.rawValue }
}

/// A life of a worker process: a random number drawn at its start, so that a restart under the same name is told apart.
public struct Incarnation: Hashable, Sendable, CustomStringConvertible {
    /// The incarnation's bits.
    public let rawValue: UInt64

    /// Wraps an incarnation's bits.
    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// The bits in hexadecimal digits.
    public var description: String { String(rawValue, radix: 16) }
}

/// Hash of weights digest, probe logits, kernel and chunk settings: workers with equal fingerprints compute equal bits.
public struct Fingerprint: Hashable, Sendable, CustomStringConvertible {
    /// The upper half.
    public let high: UInt64

    /// The lower half.
    public let low: UInt64

    /// Wraps the two halves of a fingerprint.
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// 32 hexadecimal digits.
    public var description: String {
        [high, low].map { half in
            let digits = String(half, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }
}

/// A token's number in its model's vocabulary.
public struct TokenID: Hashable, Sendable, CustomStringConvertible {
    /// The number in the vocabulary, from 0.
    public let rawValue: Int32

    /// Wraps a vocabulary number.
    @inlinable
    public init(rawValue: Int32) {
        self.rawValue = rawValue
    }

    /// The number in decimal digits.
    public var description: String { String(rawValue) }
}
