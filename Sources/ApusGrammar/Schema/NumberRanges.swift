/// Numbers between whole bounds, digit by digit.
enum NumberRanges {
    /// How many digits a number without a bound has at most.
    static let digits = 16

    /// The bounds of a number.
    struct Bounds: Hashable {
        /// A whole number, and whether the number may not be equal to it.
        struct Bound: Hashable {
            let value: Int64
            let isExclusive: Bool
        }

        var lower: Bound?
        var upper: Bound?
    }

    /// Whole numbers within bounds, without point, exponent and needless zeros.
    ///
    /// - Returns: The expression, or `nil` if no number is within them.
    static func integers(_ bounds: Bounds) -> Expression? {
        let lower = bounds.lower.map { $0.isExclusive ? $0.value + 1 : $0.value }
        let upper = bounds.upper.map { $0.isExclusive ? $0.value - 1 : $0.value }
        if let lower, let upper, lower > upper { return nil }
        var ways: [Expression] = []
        if upper.map({ $0 >= 0 }) ?? true {
            ways.append(naturals(from: UInt64(max(0, lower ?? 0)), to: upper.map(UInt64.init)))
        }
        if lower.map({ $0 < 0 }) ?? true {
            let least = UInt64(-min(-1, upper ?? -1))
            ways.append(.sequence([.text("-"), naturals(from: least, to: lower?.magnitude)]))
        }
        return ways.count == 1 ? ways[0] : .choice(ways)
    }

    /// Numbers within bounds, without exponent, with at most 16 digits after the point.
    ///
    /// - Returns: The expression, or `nil` if no number is within them.
    static func decimals(_ bounds: Bounds) -> Expression? {
        var ways: [Expression] = []
        if bounds.upper.map({ $0.value >= 0 }) ?? true {
            let lower = bounds.lower.flatMap { $0.value >= 0 ? $0 : nil } ?? .init(value: 0, isExclusive: false)
            ways += magnitudes(from: lower, to: bounds.upper)
        }
        if bounds.lower.map({ $0.value < 0 }) ?? true {
            func mirrored(_ bound: Bounds.Bound) -> Bounds.Bound {
                .init(value: -bound.value, isExclusive: bound.isExclusive)
            }
            // Zero has no sign here.
            let nearest = bounds.upper.flatMap { $0.value < 0 ? mirrored($0) : nil }
            let ways2 = magnitudes(
                from: nearest ?? .init(value: 0, isExclusive: true),
                to: bounds.lower.map(mirrored)
            )
            if !ways2.isEmpty { ways.append(.sequence([.text("-"), .choice(ways2)])) }
        }
        return ways.isEmpty ? nil : .choice(ways)
    }

    /// Numbers that aren't negative, by what their whole part is.
    private static func magnitudes(from lower: Bounds.Bound, to upper: Bounds.Bound?) -> [Expression] {
        let digit = JSONPieces.digit
        let zeros = Expression.optional(
            .sequence([.text("."), .repeated(.text("0"), minimum: 1, maximum: digits)])
        )
        let anything = Expression.optional(.sequence([.text("."), .repeated(digit, minimum: 1, maximum: digits)]))
        let positive = Expression.sequence([
            .text("."), .repeated(digit, minimum: 0, maximum: digits - 1), JSONPieces.positiveDigit,
        ])
        var ways: [Expression] = []
        if let upper {
            if lower.value > upper.value { return [] }
            if lower.value == upper.value {
                guard !lower.isExclusive, !upper.isExclusive else { return [] }
                return [.sequence([.text(String(lower.value)), zeros])]
            }
            if !upper.isExclusive { ways.append(.sequence([.text(String(upper.value)), zeros])) }
        }
        if lower.isExclusive { ways.append(.sequence([.text(String(lower.value)), positive])) }
        let first = lower.isExclusive ? lower.value + 1 : lower.value
        let last = upper.map { $0.value - 1 }
        if last.map({ first <= $0 }) ?? true {
            ways.append(.sequence([naturals(from: UInt64(first), to: last.map(UInt64.init)), anything]))
        }
        return ways
    }

    /// Numbers from 0 on in a range; without a bound above, up to 16 digits or one more than the lower bound has.
    private static func naturals(from low: UInt64, to high: UInt64?) -> Expression {
        var ways: [Expression] = []
        var low = low
        let last = high.map { figures($0).count } ?? max(digits, figures(low).count + 1)
        while true {
            let length = figures(low).count
            let greatest = [UInt8](repeating: 9, count: length)
            if length == last, let high {
                ways.append(sameLength(figures(low)[...], figures(high)[...]))
                break
            }
            ways.append(sameLength(figures(low)[...], greatest[...]))
            if length == last { break }
            low = number(greatest) + 1
            if high == nil {
                // All longer numbers at once.
                ways.append(
                    .sequence([
                        JSONPieces.positiveDigit,
                        .repeated(JSONPieces.digit, minimum: length, maximum: last - 1),
                    ])
                )
                break
            }
        }
        return ways.count == 1 ? ways[0] : .choice(ways)
    }

    /// Numbers between two of the same length.
    private static func sameLength(_ low: ArraySlice<UInt8>, _ high: ArraySlice<UInt8>) -> Expression {
        guard let first = low.first, let last = high.first else { return .nothing }
        let isWhole = low.allSatisfy { $0 == 0 } && high.allSatisfy { $0 == 9 }
        if isWhole { return .repeated(JSONPieces.digit, minimum: low.count, maximum: low.count) }
        if first == last { return .sequence([one(first...first), sameLength(low.dropFirst(), high.dropFirst())]) }
        let rest = low.count - 1
        let nines = [UInt8](repeating: 9, count: rest)
        let noughts = [UInt8](repeating: 0, count: rest)
        var ways: [Expression] = []
        var from = first
        var to = last
        if low.dropFirst().contains(where: { $0 != 0 }) {
            ways.append(.sequence([one(first...first), sameLength(low.dropFirst(), nines[...])]))
            from += 1
        }
        if high.dropFirst().contains(where: { $0 != 9 }) {
            ways.append(.sequence([one(last...last), sameLength(noughts[...], high.dropFirst())]))
            to -= 1
        }
        if from <= to {
            ways.append(.sequence([one(from...to), .repeated(JSONPieces.digit, minimum: rest, maximum: rest)]))
        }
        return .choice(ways)
    }

    private static func one(_ digits: ClosedRange<UInt8>) -> Expression {
        .oneOf(CharacterRanges([(0x30 + UInt32(digits.lowerBound))...(0x30 + UInt32(digits.upperBound))]))
    }

    private static func figures(_ number: UInt64) -> [UInt8] { String(number).utf8.map { $0 - 0x30 } }

    private static func number(_ figures: [UInt8]) -> UInt64 { figures.reduce(0) { $0 * 10 + UInt64($1) } }
}
