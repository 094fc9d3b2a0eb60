import ApusGrammar

/// One row of logits as pages of 64, some of which are changed copies.
///
/// A few tokens' logits may be changed, and most tokens forbidden, without copying a row or writing into it: a page with a
/// change is a copy, the others are the row's own memory, and a page without an allowed token is one that all share. The
/// last page is filled up with -infinity, so that loops have no remainders.
///
/// Invariant: between `open` and the end of the draw, each page points to `width` floats, in the row or in memory of this
/// object, and the row outlives the draw.
final class LogitPages {
    /// Logits a page; a word of a `TokenMask` covers one.
    static let width = 64

    /// The number of pages.
    private(set) var count = 0

    /// The highest logit of each page.
    private(set) var maxima: UnsafeMutablePointer<Float>

    /// The pages.
    private(set) var pages: UnsafeMutablePointer<UnsafePointer<Float>>

    private var copies: UnsafeMutablePointer<Float>
    private var capacity = 0
    private let empty: UnsafeMutablePointer<Float>

    /// Pages of no row yet.
    init() {
        maxima = .allocate(capacity: 0)
        pages = .allocate(capacity: 0)
        copies = .allocate(capacity: 0)
        empty = .allocate(capacity: Self.width)
        empty.initialize(repeating: -.infinity, count: Self.width)
    }

    deinit {
        maxima.deallocate()
        pages.deallocate()
        copies.deallocate()
        empty.deallocate()
    }

    /// Takes a row.
    ///
    /// - Parameters:
    ///   - row: The logits, which stay as they are.
    ///   - mask: The tokens to keep; others become -infinity. `nil` keeps all.
    func open(_ row: UnsafeBufferPointer<Float>, mask: TokenMask?) {
        count = (row.count + Self.width - 1) / Self.width
        reserve(count)
        guard let base = row.baseAddress, count > 0 else { return }
        let whole = row.count / Self.width
        // Invariant: page < whole, so that width floats from its start on are in the row.
        for page in 0..<whole { pages[page] = base + page &* Self.width }
        if whole < count {
            let copy = copies + whole * Self.width
            copy.initialize(repeating: -.infinity, count: Self.width)
            for place in 0..<(row.count - whole * Self.width) { copy[place] = base[whole * Self.width + place] }
            pages[whole] = UnsafePointer(copy)
        }
        guard let mask else { return }
        for page in 0..<count {
            let word = page < mask.words.count ? mask.words[page] : 0
            if word == 0 {
                pages[page] = UnsafePointer(empty)
            } else if word != .max {
                keep(word, of: page)
            }
        }
    }

    /// Changes a token's logit; a token that the row doesn't have is left out.
    ///
    /// A finite logit stays finite, -infinity and NaN stay what they are.
    ///
    /// - Parameters:
    ///   - token: The token.
    ///   - change: Gives the new logit for the one that the token has.
    func change(_ token: Int, _ change: (Double) -> Double) {
        guard let place = writable(token), place.pointee.isFinite else { return }
        let wanted = change(Double(place.pointee))
        let bound = Double(Float.greatestFiniteMagnitude)
        place.pointee = Float(wanted > bound ? bound : wanted < -bound ? -bound : wanted)
    }

    /// Makes a token impossible, unless its logit isn't a number.
    func ban(_ token: Int) {
        guard let place = writable(token), !place.pointee.isNaN else { return }
        place.pointee = -.infinity
    }

    /// Finds the highest logit of each page and of the row.
    ///
    /// One pass at about the speed of the memory; +0 and -0 are equal.
    ///
    /// - Returns: The highest logit and the first token that has it; `nil` where there is no page or a NaN.
    func scan() -> (token: Int, logit: Float)? {
        guard count > 0 else { return nil }
        let (pages, maxima) = (pages, maxima)
        var best = -Float.infinity
        var bestPage = 0
        var sums = SIMD4<Float>(repeating: 0)
        // Invariant: page < count, and offsets stay below width.
        for page in 0..<count {
            let base = pages[page]
            var (a, b, c, d) = (Self.load(base, 0), Self.load(base, 4), Self.load(base, 8), Self.load(base, 12))
            sums += (a + b) + (c + d)
            var offset = 16
            while offset < Self.width {
                let (e, f) = (Self.load(base, offset), Self.load(base, offset &+ 4))
                let (g, h) = (Self.load(base, offset &+ 8), Self.load(base, offset &+ 12))
                (a, b, c, d) = (higher(e, a), higher(f, b), higher(g, c), higher(h, d))
                sums += (e + f) + (g + h)
                offset &+= 16
            }
            let four = higher(higher(a, b), higher(c, d))
            let (left, right) = (four.x > four.z ? four.x : four.z, four.y > four.w ? four.y : four.w)
            let highest = left > right ? left : right
            maxima[page] = highest
            if highest > best {
                best = highest
                bestPage = page
            }
        }
        // A NaN makes its lane's sum one; so do infinities of both signs, which sums of finite logits may reach.
        if sums != sums, holdsNaN() { return nil }
        let page = pages[bestPage]
        var place = 0
        while place < Self.width &- 1, page[place] != best { place &+= 1 }
        return (bestPage * Self.width + place, best)
    }

    /// The lowest maximum of a page that has a token left.
    var lowestMaximum: Float? {
        let maxima = maxima
        var lowest = Float.infinity
        for page in 0..<count where maxima[page] < lowest && maxima[page] > -.infinity { lowest = maxima[page] }
        return lowest < .infinity ? lowest : nil
    }

    /// How many logits reach a bound.
    ///
    /// - Parameters:
    ///   - onlyMaxima: Whether only the highest logit of each page counts.
    ///   - bound: The least logit that counts.
    /// - Returns: The number of them.
    func count(onlyMaxima: Bool, reaching bound: Float) -> Int {
        let (pages, maxima) = (pages, maxima)
        var reaching = 0
        // Invariant: page < count, and offsets stay below width.
        guard !onlyMaxima else {
            for page in 0..<count { reaching &+= maxima[page] >= bound ? 1 : 0 }
            return reaching
        }
        for page in 0..<count where maxima[page] >= bound {
            let base = pages[page]
            // Floats count a page's logits exactly.
            var counts = SIMD4<Float>(repeating: 0)
            for offset in stride(from: 0, to: Self.width, by: 4) {
                counts += SIMD4(repeating: 0).replacing(with: 1, where: Self.load(base, offset) .>= bound)
            }
            reaching += Int(counts.x + counts.y + counts.z + counts.w)
        }
        return reaching
    }

    /// Four floats of a page.
    @inline(__always)
    static func load(_ base: UnsafePointer<Float>, _ offset: Int) -> SIMD4<Float> {
        // Invariant: the caller's offset is at most width - 4.
        UnsafeRawPointer(base + offset).loadUnaligned(as: SIMD4<Float>.self)
    }

    /// The higher one in each lane, the second where the first isn't a number: one instruction on x86-64.
    @inline(__always)
    private func higher(_ first: SIMD4<Float>, _ second: SIMD4<Float>) -> SIMD4<Float> {
        second.replacing(with: first, where: first .> second)
    }

    private func holdsNaN() -> Bool {
        for page in 0..<count {
            for place in 0..<Self.width where pages[page][place].isNaN { return true }
        }
        return false
    }

    private func writable(_ token: Int) -> UnsafeMutablePointer<Float>? {
        let page = token / Self.width
        guard token >= 0, page < count, pages[page] != UnsafePointer(empty) else { return nil }
        return copy(page) + token % Self.width
    }

    /// A page as a copy that may be written.
    private func copy(_ page: Int) -> UnsafeMutablePointer<Float> {
        // Invariant: copies holds width floats for each page.
        let copy = copies + page &* Self.width
        if pages[page] != UnsafePointer(copy) {
            copy.initialize(from: pages[page], count: Self.width)
            pages[page] = UnsafePointer(copy)
        }
        return copy
    }

    /// Makes a page's tokens without a bit in a word impossible.
    private func keep(_ word: UInt64, of page: Int) {
        let source = pages[page]
        let copy = copies + page &* Self.width
        if word.nonzeroBitCount > Self.width / 2 || pages[page] == UnsafePointer(copy) {
            let copy = self.copy(page)
            var bits = ~word
            while bits != 0 {
                copy[bits.trailingZeroBitCount] = -.infinity
                bits &= bits &- 1
            }
        } else {
            copy.initialize(repeating: -.infinity, count: Self.width)
            var bits = word
            while bits != 0 {
                copy[bits.trailingZeroBitCount] = source[bits.trailingZeroBitCount]
                bits &= bits &- 1
            }
            pages[page] = UnsafePointer(copy)
        }
    }

    private func reserve(_ wanted: Int) {
        guard wanted > capacity else { return }
        maxima.deallocate()
        pages.deallocate()
        copies.deallocate()
        maxima = .allocate(capacity: wanted)
        maxima.initialize(repeating: 0, count: wanted)
        pages = .allocate(capacity: wanted)
        pages.initialize(repeating: UnsafePointer(empty), count: wanted)
        copies = .allocate(capacity: wanted * Self.width)
        copies.initialize(repeating: 0, count: wanted * Self.width)
        capacity = wanted
    }
}
