/// The weights of all tokens of a row, for draws that no top-k narrows down beforehand.
///
/// Nothing is sorted and hardly anything collected: sums over the row at about the speed of the memory find where a filter
/// cuts.
///
/// Invariant: each memory holds what `capacity` pages need, and at least what the pages of the row weighed last need.
final class WeighedRow {
    /// The weights by token, 0 for impossible tokens.
    private(set) var weights = UnsafeMutablePointer<Float>.allocate(capacity: 0)

    /// For each page, a number that no weight in it is above.
    private(set) var tops = UnsafeMutablePointer<Float>.allocate(capacity: 0)

    private var masses = UnsafeMutablePointer<Double>.allocate(capacity: 0)
    private var capacity = 0

    /// Up to so many times a range of weights that holds a border is halved; it is then 1.05 times wide.
    private static let bisections = 6

    /// No row yet.
    init() {}

    deinit {
        weights.deallocate()
        tops.deallocate()
        masses.deallocate()
    }

    /// Weighs a row.
    ///
    /// - Parameters:
    ///   - pages: The row, scanned.
    ///   - highest: Its highest logit, finite.
    ///   - scale: One over the temperature.
    /// - Returns: The sum of the weights, always added up in the same order.
    func weigh(_ pages: LogitPages, highest: Float, scale: Float) -> Double {
        reserve(pages.count)
        let (rows, maxima) = (pages.pages, pages.maxima)
        let (weights, tops, masses) = (weights, tops, masses)
        let lowest = CandidateList.lowestDistance
        var mass = 0.0
        for page in 0..<pages.count {
            let base = rows[page]
            let out = weights + page &* LogitPages.width
            // Invariant: a page has width logits, and the weights as many for each page.
            for place in 0..<LogitPages.width {
                let distance = (base[place] - highest) * scale
                let weight = PortableMath.exponential(distance > lowest ? distance : lowest)
                out[place] = distance >= lowest ? weight : 0
            }
            masses[page] = sum(out)
            mass += masses[page]
        }
        for page in 0..<pages.count {
            let distance = (maxima[page] - highest) * scale
            // The polynomial may be a rounding lower for a higher argument.
            tops[page] = PortableMath.exponential(distance > lowest ? distance : lowest) * 1.001
        }
        return mass
    }

    /// The token at a share of all weights, in the order of tokens.
    ///
    /// - Parameters:
    ///   - target: The share times the sum that `weigh` returned.
    ///   - pages: The row that was weighed.
    /// - Returns: The token; `nil` where there is none with a weight.
    func token(at target: Double, of pages: LogitPages) -> Int? {
        token(at: target, of: pages) { weights[$0] }
    }

    /// The token at a share of the weights that top-p and min-p keep, in the order of tokens.
    ///
    /// - Parameters:
    ///   - share: The share, in 0..<1.
    ///   - border: The last token that top-p keeps.
    ///   - least: The least weight that min-p keeps.
    ///   - pages: The row that was weighed.
    /// - Returns: The token; `nil` where none is kept.
    func token(at share: Double, upTo border: Border, least: Float, of pages: LogitPages) -> Int? {
        let (rows, maxima, weights, masses) = (pages.pages, pages.maxima, weights, masses)
        var mass = 0.0
        for page in 0..<pages.count {
            masses[page] = 0
            guard maxima[page] >= border.logit else { continue }
            let first = page &* LogitPages.width
            let (base, source) = (rows[page], weights + first)
            // Of the tokens with the border's own logit the first are kept; page by page all, some or none.
            let equals = min(max(border.token &- first &+ 1, 0), LogitPages.width)
            masses[page] = sum { offset in
                var kept = SIMD4<Float>(repeating: 0)
                let (logits, found) = (LogitPages.load(base, offset), LogitPages.load(source, offset))
                if equals >= offset &+ 4 {
                    kept = kept.replacing(with: found, where: (logits .>= border.logit) .& (found .>= least))
                } else if equals <= offset {
                    kept = kept.replacing(with: found, where: (logits .> border.logit) .& (found .>= least))
                } else {
                    for lane in 0..<4 where border.keeps(logits[lane], first &+ offset &+ lane) && found[lane] >= least
                    {
                        kept[lane] = found[lane]
                    }
                }
                return kept
            }
            mass += masses[page]
        }
        return token(at: share * mass, of: pages) { token in
            let logit = rows[token / LogitPages.width][token % LogitPages.width]
            return weights[token] >= least && border.keeps(logit, token) ? weights[token] : 0
        }
    }

    /// The last token of those, by falling logit, whose weights reach a limit.
    struct Border {
        /// Its logit.
        var logit: Float

        /// Its number: of tokens with the same logit the lower ones are kept.
        var token: Int

        /// Whether a token is not after the border.
        @inline(__always)
        func keeps(_ logit: Float, _ token: Int) -> Bool {
            logit > self.logit || logit == self.logit && token <= self.token
        }
    }

    /// Finds the border of top-p.
    ///
    /// - Parameters:
    ///   - limit: The weight that is kept.
    ///   - least: A weight such that the tokens from there on reach the limit, but for roundings.
    ///   - pages: The row that was weighed.
    ///   - scratch: Its candidates and buckets are used.
    /// - Returns: The border.
    func border(ofMass limit: Double, least: Float, of pages: LogitPages, scratch: SamplerScratch) -> Border {
        var (lower, upper, above) = (least, Float.infinity, 0.0)
        var next = lower * 8
        while next < 1 {
            let mass = mass(reaching: next, pages.count)
            guard mass >= limit else {
                (upper, above) = (next, mass)
                break
            }
            lower = next
            next *= 8
        }
        for _ in 0..<Self.bisections {
            let middle = (lower * min(upper, 1)).squareRoot()
            guard middle > lower, middle < upper else { break }
            let mass = mass(reaching: middle, pages.count)
            if mass >= limit { lower = middle } else { (upper, above) = (middle, mass) }
        }
        scratch.candidates.collect(self, of: pages, from: lower, below: upper)
        return scratch.buckets.last(reaching: limit, from: above, of: scratch.candidates)
            // Only roundings leave all tokens below the limit.
            ?? Border(logit: -.greatestFiniteMagnitude, token: Int(Int32.max))
    }

    private func mass(reaching least: Float, _ count: Int) -> Double {
        let (weights, tops) = (weights, tops)
        var mass = 0.0
        for page in 0..<count where tops[page] >= least {
            let source = UnsafePointer(weights + page &* LogitPages.width)
            mass += sum { offset in
                let found = LogitPages.load(source, offset)
                return SIMD4(repeating: 0).replacing(with: found, where: found .>= least)
            }
        }
        return mass
    }

    /// The token where sums over `masses`, and within a page over weights, pass a target; else the last one with a weight.
    @inline(__always)
    private func token(at target: Double, of pages: LogitPages, weight: (Int) -> Float) -> Int? {
        var (mass, last): (Double, Int?) = (0, nil)
        for page in 0..<pages.count where masses[page] > 0 {
            last = page
            guard mass + masses[page] > target else {
                mass += masses[page]
                continue
            }
            break
        }
        guard let page = last else { return nil }
        // Rounding may leave the target beyond the page's last token, which then stands in.
        if mass + masses[page] <= target { mass -= masses[page] }
        var drawn: Int?
        for token in (page * LogitPages.width)..<((page + 1) * LogitPages.width) where weight(token) > 0 {
            drawn = token
            mass += Double(weight(token))
            if mass > target { break }
        }
        return drawn
    }

    @inline(__always)
    private func sum(_ page: UnsafeMutablePointer<Float>) -> Double {
        sum { LogitPages.load(UnsafePointer(page), $0) }
    }

    /// The sum of a page's weights in sixteen lanes.
    @inline(__always)
    private func sum(_ weights: (Int) -> SIMD4<Float>) -> Double {
        var (a, b, c, d) = (weights(0), weights(4), weights(8), weights(12))
        var offset = 16
        while offset < LogitPages.width {
            a += weights(offset)
            b += weights(offset &+ 4)
            c += weights(offset &+ 8)
            d += weights(offset &+ 12)
            offset &+= 16
        }
        let four = (a + b) + (c + d)
        return Double((four.x + four.z) + (four.y + four.w))
    }

    private func reserve(_ pages: Int) {
        guard pages > capacity else { return }
        weights.deallocate()
        tops.deallocate()
        masses.deallocate()
        capacity = pages
        weights = .allocate(capacity: pages * LogitPages.width)
        tops = .allocate(capacity: pages)
        masses = .allocate(capacity: pages)
        weights.initialize(repeating: 0, count: pages * LogitPages.width)
        tops.initialize(repeating: 0, count: pages)
        masses.initialize(repeating: 0, count: pages)
    }
}
