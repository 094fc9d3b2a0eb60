/// The tokens that a draw may take, in the order of tokens, with their weights.
///
/// A weight is e^d, where the distance d is how far a logit lies below the highest one, divided by the temperature.
/// Filters take candidates out; the rest moves together.
///
/// Invariant: each memory holds `capacity` elements, a multiple of a page and at least the row's length; `count` of them are
/// in use.
final class CandidateList {
    /// Candidates further down count as impossible: e^-32 is about 1e-14.
    static let lowestDistance: Float = -32

    /// The number of candidates.
    private(set) var count = 0

    /// Their tokens.
    private(set) var tokens = UnsafeMutablePointer<Int32>.allocate(capacity: 0)

    /// Their logits.
    private(set) var logits = UnsafeMutablePointer<Float>.allocate(capacity: 0)

    /// Their distances, in `lowestDistance...0`.
    private(set) var distances = UnsafeMutablePointer<Float>.allocate(capacity: 0)

    /// Their weights.
    private(set) var weights = UnsafeMutablePointer<Float>.allocate(capacity: 0)

    private var capacity = 0

    /// Halvings of the range in which a bound is looked for.
    private static let bisections = 14

    /// An empty list.
    init() {}

    deinit { release() }

    /// Takes the tokens of a row near enough to the highest one.
    ///
    /// - Parameters:
    ///   - pages: The row, scanned.
    ///   - highest: Its highest logit, finite.
    ///   - scale: One over the temperature.
    ///   - lowest: The lowest distance to take, at most 0; one below `lowestDistance` counts as that afterwards.
    ///   - least: The lowest logit to take.
    func collect(_ pages: LogitPages, highest: Float, scale: Float, lowest: Float, least: Float) {
        reserve(pages.count * LogitPages.width)
        let (tokens, logits) = (tokens, logits)
        let (rows, maxima) = (pages.pages, pages.maxima)
        var taken = 0
        for page in 0..<pages.count {
            let maximum = maxima[page]
            guard maximum >= least, (maximum - highest) * scale >= lowest else { continue }
            let base = rows[page]
            let first = page &* LogitPages.width
            var place = 0
            while place < LogitPages.width {
                // Invariant: taken <= first + place < capacity. Writing always, and keeping sometimes, saves a branch.
                let logit = base[place]
                tokens[taken] = Int32(truncatingIfNeeded: first &+ place)
                logits[taken] = logit
                taken &+= (logit >= least ? 1 : 0) & ((logit - highest) * scale >= lowest ? 1 : 0)
                place &+= 1
            }
        }
        count = taken
        weigh(highest: highest, scale: scale)
    }

    /// A logit that at least `limit` of a scanned row's tokens reach, so that all lower ones can't be among the first.
    ///
    /// The maximum of each page is a token: where there are enough pages, only those are counted.
    ///
    /// - Parameters:
    ///   - limit: How many tokens have to reach it, 1 or more.
    ///   - pages: The row, scanned.
    ///   - highest: Its highest logit, finite.
    ///   - scale: One over the temperature; tokens below the lowest distance are not counted.
    /// - Returns: -infinity where fewer tokens are near enough.
    func bound(ofFirst limit: Int, in pages: LogitPages, highest: Float, scale: Float) -> Float {
        let countsMaxima = limit * 2 <= pages.count
        var (lower, upper) = (highest + Self.lowestDistance / scale, highest)
        if countsMaxima, let lowest = pages.lowestMaximum { lower = lowest }
        guard lower.isFinite, pages.count(onlyMaxima: countsMaxima, reaching: lower) >= limit else { return -.infinity }
        for _ in 0..<Self.bisections {
            let middle = lower / 2 + upper / 2
            let reaching = pages.count(onlyMaxima: countsMaxima, reaching: middle)
            guard reaching >= limit else {
                upper = middle
                continue
            }
            lower = middle
            if reaching <= limit + limit / 4 + 8 { break }
        }
        return lower
    }

    /// Takes the tokens of a weighed row whose weights are in a range; their distances are not computed.
    ///
    /// - Parameters:
    ///   - row: The weighed row.
    ///   - pages: The row that was weighed.
    ///   - least: The least weight to take.
    ///   - bound: The weight that those to take are below.
    func collect(_ row: WeighedRow, of pages: LogitPages, from least: Float, below bound: Float) {
        reserve(pages.count * LogitPages.width)
        let (tokens, logits, weights) = (tokens, logits, weights)
        let (rows, weighed, tops) = (pages.pages, row.weights, row.tops)
        var taken = 0
        for page in 0..<pages.count where tops[page] >= least {
            let first = page &* LogitPages.width
            let (base, source) = (rows[page], weighed + first)
            for place in 0..<LogitPages.width {
                // Invariant: as in `collect` above.
                let weight = source[place]
                tokens[taken] = Int32(truncatingIfNeeded: first &+ place)
                logits[taken] = base[place]
                weights[taken] = weight
                taken &+= (weight >= least ? 1 : 0) & (weight < bound ? 1 : 0)
            }
        }
        count = taken
    }

    /// Keeps the candidates that a condition, asked by place, holds for.
    @inline(__always)
    func keep(_ holds: (Int) -> Bool) {
        let (tokens, logits, distances, weights) = (tokens, logits, distances, weights)
        var kept = 0
        // Invariant: kept <= place < count. A place is asked for before it is written over.
        for place in 0..<count {
            let isKept = holds(place)
            tokens[kept] = tokens[place]
            logits[kept] = logits[place]
            distances[kept] = distances[place]
            weights[kept] = weights[place]
            kept &+= isKept ? 1 : 0
        }
        count = kept
    }

    /// The sum of the weights, always added up in the same order.
    func mass() -> Double {
        let weights = weights
        return sum { Double(weights[$0]) }
    }

    /// The sum of a value over all candidates by place, in four lanes.
    @inline(__always)
    func sum(_ value: (Int) -> Double) -> Double {
        var (a, b, c, d) = (0.0, 0.0, 0.0, 0.0)
        var place = 0
        while place &+ 4 <= count {
            a += value(place)
            b += value(place &+ 1)
            c += value(place &+ 2)
            d += value(place &+ 3)
            place &+= 4
        }
        while place < count {
            a += value(place)
            place &+= 1
        }
        return (a + c) + (b + d)
    }

    private func weigh(highest: Float, scale: Float) {
        let (logits, distances, weights) = (logits, distances, weights)
        var place = 0
        let end = count
        // Invariant: place < count.
        while place < end {
            let distance = (logits[place] - highest) * scale
            let bounded = distance > Self.lowestDistance ? distance : Self.lowestDistance
            distances[place] = bounded
            weights[place] = PortableMath.exponential(bounded)
            place &+= 1
        }
    }

    private func reserve(_ wanted: Int) {
        guard wanted > capacity else { return }
        release()
        capacity = wanted
        tokens = .allocate(capacity: wanted)
        logits = .allocate(capacity: wanted)
        distances = .allocate(capacity: wanted)
        weights = .allocate(capacity: wanted)
        tokens.initialize(repeating: 0, count: wanted)
        logits.initialize(repeating: 0, count: wanted)
        distances.initialize(repeating: 0, count: wanted)
        weights.initialize(repeating: 0, count: wanted)
    }

    private func release() {
        tokens.deallocate()
        logits.deallocate()
        distances.deallocate()
        weights.deallocate()
    }
}
