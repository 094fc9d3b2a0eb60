/// A set of Unicode scalars as sorted ranges with gaps between them.
///
/// Surrogates are never in it: no UTF-8 text holds one.
struct CharacterRanges: Hashable, Sendable {
    /// The ranges, rising, neither touching nor overlapping.
    let ranges: [ClosedRange<UInt32>]

    /// Every Unicode scalar.
    static let all = CharacterRanges([0...0x10_FFFF])

    /// The union of the ranges, without surrogates.
    init(_ ranges: [ClosedRange<UInt32>]) {
        var merged: [ClosedRange<UInt32>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            for part in [range.clamped(to: 0...0xD7FF), range.clamped(to: 0xE000...0x10_FFFF)]
            where range.overlaps(part) {
                if let last = merged.last, part.lowerBound <= last.upperBound + 1, part.lowerBound != 0xE000 {
                    merged[merged.count - 1] = last.lowerBound...max(last.upperBound, part.upperBound)
                } else if let last = merged.last, last.lowerBound >= part.lowerBound {
                    merged[merged.count - 1] = last.lowerBound...max(last.upperBound, part.upperBound)
                } else {
                    merged.append(part)
                }
            }
        }
        self.ranges = merged
    }

    /// The scalars of a text.
    init(_ characters: String) {
        self.init(characters.unicodeScalars.map { $0.value...$0.value })
    }

    /// Whether nothing is in the set.
    var isEmpty: Bool { ranges.isEmpty }

    /// All scalars that are not in the set.
    var inverted: CharacterRanges {
        var gaps: [ClosedRange<UInt32>] = []
        var next: UInt32 = 0
        for range in ranges {
            if range.lowerBound > next { gaps.append(next...(range.lowerBound - 1)) }
            next = range.upperBound + 1
        }
        if next <= 0x10_FFFF { gaps.append(next...0x10_FFFF) }
        return CharacterRanges(gaps)
    }

    /// The scalars in either set.
    func union(_ other: CharacterRanges) -> CharacterRanges { CharacterRanges(ranges + other.ranges) }

    /// The scalars of this set that the other doesn't hold.
    func subtracting(_ other: CharacterRanges) -> CharacterRanges { inverted.union(other).inverted }

    /// Whether the scalar is in the set.
    func contains(_ scalar: UInt32) -> Bool { ranges.contains { $0.contains(scalar) } }
}
