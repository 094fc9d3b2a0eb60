extension TokenColumns {
    /// Whether any token may have details; false where tokens have nothing but their text.
    public var hasDetails: Bool { !detailLengths.isEmpty }

    /// The bytes of the details of some tokens; 0 at no cost where no token has any.
    @inline(__always)
    package func detailBytes(of tokens: Range<Int>) -> Int {
        hasDetails ? sumOfDetails(tokens) : 0
    }

    // Out of line, as the other general cases here: the loops over rows without details stay small.
    @inline(never)
    private func sumOfDetails(_ tokens: Range<Int>) -> Int {
        var bytes = 0
        for token in tokens { bytes += Int(detailLengths[token]) }
        return bytes
    }

    /// Adds the details of other columns' tokens, which have been added themselves as the last ones.
    ///
    /// Where neither side has details, or the added tokens have none and no token before them either, nothing is done: only
    /// mixed columns are padded.
    ///
    /// - Parameters:
    ///   - other: Where the tokens come from.
    ///   - tokens: The tokens' places there.
    ///   - bytes: Their details' places there.
    @inline(__always)
    package mutating func appendDetails(of other: TokenColumns, tokens: Range<Int>, bytes: Range<Int>) {
        if hasDetails || !bytes.isEmpty {
            appendDetails(
                other.hasDetails ? other.detailLengths[tokens] : [],
                other.details[bytes],
                count: tokens.count
            )
        }
    }

    /// Adds details of the last tokens.
    ///
    /// - Parameters:
    ///   - lengths: One length a token, or none where none of them has details.
    ///   - bytes: Their details.
    ///   - count: How many tokens they are; all tokens before them have their details already, or get none.
    package mutating func appendDetails(_ lengths: ArraySlice<UInt32>, _ bytes: ArraySlice<UInt8>, count: Int) {
        guard hasDetails || !bytes.isEmpty else { return }
        detailLengths.pad(to: ids.count - count)
        detailLengths.append(contentsOf: lengths)
        detailLengths.pad(to: ids.count)
        details.append(contentsOf: bytes)
    }

    /// Whether the columns of details agree with the others and keep to the limits.
    var hasValidDetails: Bool {
        guard hasDetails else { return details.isEmpty }
        guard detailLengths.count == tokens else { return false }
        var bytes: UInt64 = 0
        var longest: UInt32 = 0
        for length in detailLengths {
            bytes += UInt64(length)
            longest = max(longest, length)
        }
        return bytes == UInt64(details.count) && longest <= UInt32(Limits.tokenDetailBytes)
    }
}

extension [UInt32] {
    /// Appends zeros up to a count; one that is reached already changes nothing.
    package mutating func pad(to count: Int) {
        if self.count < count { append(contentsOf: repeatElement(0, count: count - self.count)) }
    }
}
