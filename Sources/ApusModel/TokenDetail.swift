/// What a job that asks for log probabilities gets with each token.
///
/// Between the worker and the client it travels encoded, as the protocol's message `TokenDetail`; nobody in between reads it.
public struct TokenDetail: Hashable, Sendable {
    /// One of the likeliest tokens at a place.
    public struct Alternative: Hashable, Sendable {
        /// The token's number in the model's vocabulary.
        public var id: TokenID

        /// The natural logarithm of its probability under the model, before any filter.
        public var logprob: Float

        /// Its text's bytes; a part of a character is possible.
        public var text: [UInt8]

        /// Describes an alternative.
        public init(id: TokenID, logprob: Float, text: [UInt8]) {
            self.id = id
            self.logprob = logprob
            self.text = text
        }
    }

    /// The natural logarithm of the token's probability under the model, before any filter.
    public var logprob: Float

    /// The likeliest tokens, falling; as many as were asked for.
    public var top: [Alternative]

    /// Describes a token's details.
    public init(logprob: Float, top: [Alternative] = []) {
        self.logprob = logprob
        self.top = top
    }
}

extension TokenDetail {
    /// Bytes of an alternative's text that are kept: real tokens have a few dozen, and the most alternatives with so many each
    /// stay below `Limits.tokenDetailBytes`.
    package static let mostTextBytes = 512

    /// Appends the details as the bytes of the protocol's message `TokenDetail`, at most `Limits.tokenDetailBytes` and never none.
    ///
    /// Written here, and not by the generated code, for the engine's thread: below the wire's layer, a message object a token less.
    /// The format is that of protocol buffers: a field's number and kind in a byte, then its value.
    package func encode(into bytes: inout [UInt8]) {
        // A zero would be left out by the format, and details of no bytes are none: the other zero says the same.
        Self.append(1, logprob == 0 ? -0.0 : logprob, to: &bytes)
        for alternative in top.prefix(Limits.alternatives) {
            let text = alternative.text.prefix(Self.mostTextBytes)
            let id = UInt64(bitPattern: Int64(alternative.id.rawValue))
            let size =
                (id == 0 ? 0 : 1 + Self.varintBytes(id)) + (alternative.logprob.bitPattern == 0 ? 0 : 5)
                + (text.isEmpty ? 0 : 1 + Self.varintBytes(UInt64(text.count)) + text.count)
            bytes.append(2 << 3 | 2)
            Self.append(varint: UInt64(size), to: &bytes)
            if id != 0 {
                bytes.append(1 << 3)
                Self.append(varint: id, to: &bytes)
            }
            if alternative.logprob.bitPattern != 0 { Self.append(2, alternative.logprob, to: &bytes) }
            if !text.isEmpty {
                bytes.append(3 << 3 | 2)
                Self.append(varint: UInt64(text.count), to: &bytes)
                bytes.append(contentsOf: text)
            }
        }
    }

    private static func append(_ field: UInt8, _ value: Float, to bytes: inout [UInt8]) {
        bytes.append(field << 3 | 5)
        for shift in stride(from: UInt32(0), to: 32, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: value.bitPattern >> shift))
        }
    }

    private static func append(varint value: UInt64, to bytes: inout [UInt8]) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    private static func varintBytes(_ value: UInt64) -> Int { max(1, (64 - value.leadingZeroBitCount + 6) / 7) }
}
