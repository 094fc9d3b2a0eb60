import ApusModel

/// Token columns as the journal's own bytes: a short head, then one column after the other as it lies in memory.
///
/// Numbers are little-endian, as on every platform that Apus runs on. Lengths of texts take a byte each where all are below 256.
enum ColumnCodec {
    private static let headBytes = 20
    private static let hasEpochs: UInt32 = 1
    private static let hasWideLengths: UInt32 = 2
    private static let hasDetails: UInt32 = 4

    /// Appends columns that agree with each other.
    static func append(_ columns: borrowing TokenColumns, to scratch: ByteScratch) {
        var longest: UInt32 = 0
        for length in columns.textLengths { longest = max(longest, length) }
        let isWide = longest > 255
        scratch.append(UInt32(columns.rows))
        scratch.append(UInt32(columns.tokens))
        scratch.append(UInt32(columns.text.count))
        scratch.append(UInt32(columns.details.count))
        scratch.append(
            (columns.epochs.isEmpty ? 0 : hasEpochs) | (isWide ? hasWideLengths : 0)
                | (columns.hasDetails ? hasDetails : 0)
        )
        scratch.append(columns.streams)
        scratch.append(columns.epochs)
        scratch.append(columns.firstIndexes)
        scratch.append(columns.counts)
        scratch.append(columns.ids)
        if isWide {
            scratch.append(columns.textLengths)
        } else {
            let narrow = scratch.grow(by: columns.textLengths.count)
            columns.textLengths.withUnsafeBufferPointer { lengths in
                for place in 0..<lengths.count { narrow[place] = UInt8(truncatingIfNeeded: lengths[place]) }
            }
        }
        scratch.append(columns.text)
        scratch.append(columns.detailLengths)
        scratch.append(columns.details)
    }

    /// Reads what `append` wrote.
    ///
    /// - Parameters:
    ///   - bytes: Bytes whose checksum holds; others give columns that don't agree or none, but nothing worse.
    ///   - offset: Where they begin; moved behind them.
    /// - Returns: `nil` where the bytes are no columns.
    static func decode(_ bytes: UnsafeRawBufferPointer, at offset: inout Int) -> TokenColumns? {
        var reader = Reader(bytes: bytes, offset: offset)
        guard let head: [UInt32] = reader.take(headBytes / 4) else { return nil }
        let (rows, tokens, flags) = (Int(head[0]), Int(head[1]), head[4])
        guard let streams: [UInt64] = reader.take(rows),
            let epochs: [UInt32] = reader.take(flags & hasEpochs == 0 ? 0 : rows),
            let firstIndexes: [UInt64] = reader.take(rows), let counts: [UInt32] = reader.take(rows),
            let ids: [Int32] = reader.take(tokens), let lengths = reader.lengths(tokens, flags & hasWideLengths != 0),
            let text: [UInt8] = reader.take(Int(head[2])),
            let detailLengths: [UInt32] = reader.take(flags & hasDetails == 0 ? 0 : tokens),
            let details: [UInt8] = reader.take(Int(head[3]))
        else { return nil }
        let columns = TokenColumns(
            streams: streams,
            epochs: epochs,
            firstIndexes: firstIndexes,
            counts: counts,
            ids: ids,
            textLengths: lengths,
            text: text,
            detailLengths: detailLengths,
            details: details
        )
        guard columns.agrees else { return nil }
        offset = reader.offset
        return columns
    }

    /// Takes columns from bytes, never more than there are.
    private struct Reader {
        let bytes: UnsafeRawBufferPointer
        var offset: Int

        mutating func take<Element: BitwiseCopyable & FixedWidthInteger>(_ count: Int) -> [Element]? {
            let size = count * MemoryLayout<Element>.stride
            guard size <= bytes.count - offset else { return nil }
            let source = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + size])
            offset += size
            return [Element](unsafeUninitializedCapacity: count) { buffer, initialized in
                // `Element` is an integer: any bytes are a value of it.
                if size > 0 { UnsafeMutableRawBufferPointer(buffer).copyMemory(from: source) }
                initialized = count
            }
        }

        mutating func lengths(_ count: Int, _ isWide: Bool) -> [UInt32]? {
            if isWide { return take(count) }
            guard let narrow: [UInt8] = take(count) else { return nil }
            return narrow.map { UInt32($0) }
        }
    }
}

extension TokenColumns {
    /// Whether rows, tokens and bytes add up, whatever their values are.
    fileprivate var agrees: Bool {
        var counted: UInt64 = 0
        for count in counts { counted += UInt64(count) }
        var bytes: UInt64 = 0
        for length in textLengths { bytes += UInt64(length) }
        var detailBytes: UInt64 = 0
        for length in detailLengths { detailBytes += UInt64(length) }
        return counted == UInt64(tokens) && bytes == UInt64(text.count) && detailBytes == UInt64(details.count)
    }

    /// The rows that a test chooses, in their order.
    func rows(where isChosen: (Int) -> Bool) -> TokenColumns {
        var chosen = TokenColumns()
        var (token, byte, detail) = (0, 0, 0)
        for row in 0..<rows {
            let range = token..<token + Int(counts[row])
            var textBytes = 0
            for place in range { textBytes += Int(textLengths[place]) }
            let details = detailBytes(of: range)
            if isChosen(row) {
                chosen.streams.append(streams[row])
                if !epochs.isEmpty { chosen.epochs.append(epochs[row]) }
                chosen.firstIndexes.append(firstIndexes[row])
                chosen.counts.append(counts[row])
                chosen.ids.append(contentsOf: ids[range])
                chosen.textLengths.append(contentsOf: textLengths[range])
                chosen.text.append(contentsOf: text[byte..<byte + textBytes])
                chosen.appendDetails(of: self, tokens: range, bytes: detail..<detail + details)
            }
            token = range.upperBound
            byte += textBytes
            detail += details
        }
        return chosen
    }
}
