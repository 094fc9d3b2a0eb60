package import ApusModel

/// Guesses a stream's next tokens by what followed the last time when it said the same.
///
/// It finds the latest earlier place where the last five tokens stand in the prompt or the output, else the last four,
/// three, two, and proposes what followed there. Appending a token takes constant time, and memory is about 40 bytes a
/// token. Beyond `capacity` tokens the older half is forgotten.
package struct NgramDrafter: Sendable {
    /// What a draft rests on.
    package struct Match: Hashable, Sendable {
        /// How many of the last tokens stand there too; counted up to `longestMatch`.
        package var length: Int

        /// The place of the first token that followed, among the tokens that are remembered.
        package var next: Int

        /// Describes a match.
        package init(length: Int, next: Int) {
            self.length = length
            self.next = next
        }
    }

    /// The lengths of the tokens that are looked up.
    package static let lengths = 2...5

    /// Matches are not told apart beyond this.
    package static let longestMatch = 32

    /// Cells of the smallest table.
    private static let smallestTable = 64

    /// Cells in which a run of tokens may stand.
    private static let probes = 4

    private let capacity: Int
    private var tokens: [TokenID] = []
    // A table for each length, without keys: a cell holds the place behind the latest occurrence of some run of tokens,
    // or 0. A run stands in one of the few cells from its hash on; whoever looks compares the tokens. Where all of them
    // are taken, the oldest run is forgotten, which costs a match and never makes a wrong one.
    private var tables: [[Int32]] = []
    private var mask = 0

    /// A drafter for a stream.
    ///
    /// - Parameters:
    ///   - tokens: What the stream consists of so far: prompt and output.
    ///   - capacity: Tokens that are remembered at most; at least 16.
    package init(_ tokens: [TokenID] = [], capacity: Int = 65_536) {
        self.capacity = min(max(16, capacity), 1 << 30)
        self.tokens = tokens.suffix(self.capacity / 2)
        rebuild()
    }

    /// The number of tokens that are remembered.
    package var count: Int { tokens.count }

    /// Takes the stream's next token.
    package mutating func append(_ token: TokenID) {
        if tokens.count >= capacity {
            tokens.removeFirst(tokens.count - capacity / 2)
            rebuild()
        } else if tokens.count > mask / 2 {
            rebuild()
        }
        // What the last tokens are followed by is known only now.
        remember(endingAt: tokens.count)
        tokens.append(token)
    }

    /// The latest earlier place where the last tokens stand; `nil` where not even the last two do.
    package func match() -> Match? {
        for length in Self.lengths.reversed() where tokens.count > length {
            let cell = cell(endingAt: tokens.count, length: length)
            let next = Int(tables[length - Self.lengths.lowerBound][cell])
            // The cell may be empty or another run's.
            guard next > 0, isEqual(endingAt: next, tokens.count, length: length) else { continue }
            return Match(length: commonLength(before: next), next: next)
        }
        return nil
    }

    /// Proposes what followed at a match.
    ///
    /// - Parameters:
    ///   - count: How many tokens.
    ///   - match: What `match()` found after the last `append`.
    ///   - draft: Receives the tokens; its former content is replaced. Where the match reaches up to the end, they go
    ///     round.
    package func propose(_ count: Int, after match: Match, into draft: inout [TokenID]) {
        draft.removeAll(keepingCapacity: true)
        let period = tokens.count - match.next
        for step in 0..<max(0, count) { draft.append(tokens[match.next + step % period]) }
    }

    // MARK: -

    private func commonLength(before next: Int) -> Int {
        var length = 0
        while length < min(Self.longestMatch, next), tokens[next - 1 - length] == tokens[tokens.count - 1 - length] {
            length += 1
        }
        return length
    }

    private mutating func remember(endingAt end: Int) {
        for length in Self.lengths where end >= length {
            let cell = cell(endingAt: end, length: length)
            tables[length - Self.lengths.lowerBound][cell] = Int32(end)
        }
    }

    /// The cell in which the run before `end` stands; where it stands in none, the one to put it into.
    private func cell(endingAt end: Int, length: Int) -> Int {
        var state = UInt64(length)
        for place in (end - length)..<end {
            state = (state ^ UInt64(UInt32(bitPattern: tokens[place].rawValue))) &* 0xff51_afd7_ed55_8ccd
            state ^= state >> 32
        }
        let first = Int(truncatingIfNeeded: state.mixed) & mask
        var oldest = first
        for probe in 0..<Self.probes {
            let cell = (first + probe) & mask
            let held = Int(tables[length - Self.lengths.lowerBound][cell])
            if held == 0 || isEqual(endingAt: held, end, length: length) { return cell }
            if held < tables[length - Self.lengths.lowerBound][oldest] { oldest = cell }
        }
        return oldest
    }

    private func isEqual(endingAt left: Int, _ right: Int, length: Int) -> Bool {
        for back in 1...length where tokens[left - back] != tokens[right - back] { return false }
        return true
    }

    /// Makes tables with room for twice the tokens.
    private mutating func rebuild() {
        var size = Self.smallestTable
        while size < 4 * tokens.count { size *= 2 }
        mask = size - 1
        tables = Self.lengths.map { _ in Array(repeating: 0, count: size) }
        for end in stride(from: 1, to: tokens.count, by: 1) { remember(endingAt: end) }
    }
}
