extension TokenColumns {
    /// Bytes that the length of a token's details takes in a message.
    private static let detailLengthBytes = 3

    /// The columns in parts of bounded size, in order; a single part where they are within the bounds.
    ///
    /// - Parameters:
    ///   - limit: The most tokens of a part; a longer row is cut.
    ///   - most: Bytes of text and details, the details' lengths included, after which a part ends with the token that reached
    ///     them.
    /// - Returns: The parts; none for empty columns.
    public func split(tokens limit: Int, bytes most: Int) -> [TokenColumns] {
        let lengthBytes = hasDetails ? Self.detailLengthBytes : 0
        if tokens <= limit, contentBytes(lengthBytes) <= most { return isEmpty ? [] : [self] }
        var parts: [TokenColumns] = []
        var part = TokenColumns()
        var token = 0
        var byte = 0
        var detail = 0
        for row in 0..<rows {
            var left = Int(counts[row])
            var first = firstIndexes[row]
            while left > 0 {
                if part.tokens >= limit || part.contentBytes(lengthBytes) >= most {
                    parts.append(part)
                    part.removeAll()
                }
                let present = part.contentBytes(lengthBytes)
                var count = 0
                var (textBytes, detailBytes, size) = (0, 0, 0)
                while count < left, part.tokens + count < limit, count == 0 || present + size < most {
                    textBytes += Int(textLengths[token + count])
                    if hasDetails { detailBytes += Int(detailLengths[token + count]) }
                    count += 1
                    size = textBytes + detailBytes + count * lengthBytes
                }
                part.streams.append(streams[row])
                if !epochs.isEmpty { part.epochs.append(epochs[row]) }
                part.firstIndexes.append(first)
                part.counts.append(UInt32(count))
                part.ids.append(contentsOf: ids[token..<token + count])
                part.textLengths.append(contentsOf: textLengths[token..<token + count])
                part.text.append(contentsOf: text[byte..<byte + textBytes])
                part.appendDetails(of: self, tokens: token..<token + count, bytes: detail..<detail + detailBytes)
                token += count
                byte += textBytes
                detail += detailBytes
                first += UInt64(count)
                left -= count
            }
        }
        if !part.isEmpty { parts.append(part) }
        return parts
    }

    /// Bytes of text and details in a message, with the lengths of the details, which all tokens of a part may come to have.
    private func contentBytes(_ lengthBytes: Int) -> Int { text.count + details.count + tokens * lengthBytes }
}
