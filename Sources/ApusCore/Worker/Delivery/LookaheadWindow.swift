/// Decides how far streams are computed beyond their consumers' credit, and counts what that brings.
///
/// A token computed ahead waits at the worker, and is there when its credit comes. What counts is only where a consumer
/// holds its stream up: credit for a stream that has not used up what it had says nothing about looking ahead.
///
/// When a stream's limit rises from L1 to L2 and its tokens below C are computed:
///
/// - C < L1: the stream is behind its credit, and nothing is counted;
/// - else the tokens from L1 up to min(L2, C) are **hits**: computed before their credit came;
/// - and if the stream stood at the end of its window, C = L1 + allowance, the tokens from C up to L2 are **misses**:
///   they could not be begun before their credit came. A stream that was still on its way through the window was held
///   up by its own speed: no misses.
package struct LookaheadWindow: Sendable {
    /// Tokens beyond the credit, at most.
    package let size: Int

    /// Tokens that were computed before their credit came.
    package private(set) var hits: UInt64 = 0

    /// Tokens whose computation had to wait for their credit.
    package private(set) var misses: UInt64 = 0

    /// A window of a size; 0 computes nothing ahead.
    package init(size: Int = 16) {
        self.size = max(0, size)
    }

    /// How many tokens a stream may be computed beyond its credit now.
    ///
    /// - Parameters:
    ///   - othersWait: Whether somebody waits for a slot or for a place in the step: their tokens come first.
    ///   - memory: How short memory is.
    /// - Returns: `size`, or 0.
    package func allowance(othersWait: Bool, memory: MemoryLevel = .normal) -> Int {
        othersWait || memory >= .pressure ? 0 : size
    }

    /// Counts credit that came.
    ///
    /// - Parameters:
    ///   - old: The limit before: tokens below this index had credit.
    ///   - new: The limit now; one that isn't higher counts nothing.
    ///   - computed: Tokens below this index are computed.
    ///   - allowance: What was allowed beyond `old`.
    package mutating func creditCame(from old: Int, to new: Int, computed: Int, allowance: Int) {
        guard new > old, computed >= old else { return }
        hits += UInt64(min(new, computed) - old)
        if computed >= old + allowance, new > computed { misses += UInt64(new - computed) }
    }

    /// Of the tokens whose credit was waited for, the part that was computed before; `nil` before any.
    package var hitRate: Double? {
        let all = hits + misses
        return all > 0 ? Double(hits) / Double(all) : nil
    }
}
