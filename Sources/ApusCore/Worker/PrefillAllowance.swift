/// How many tokens of prompts and histories may run between two decoding passes.
///
/// Decoding streams wait for these. A short prompt is let through at once, because its few chunks delay others once and its
/// client waits for all of them; a long one runs in pieces that cost about as much as the decoding beside it.
package struct PrefillAllowance: Hashable, Sendable {
    /// Tokens of sequences that have much to compute.
    package var long: Int

    /// Tokens of all sequences together, those that have little to compute and those that go on elsewhere first.
    package var short: Int

    /// Describes an allowance; the first chunk between two decoding passes runs even where it is larger.
    package init(long: Int, short: Int) {
        self.long = long
        self.short = short
    }
}
