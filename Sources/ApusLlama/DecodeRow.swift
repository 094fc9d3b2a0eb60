import ApusModel

/// One sequence's part in a pass that feeds one token to each.
struct DecodeRow: Hashable {
    /// The sequence's slot.
    var slot: Int

    /// The token to feed.
    var token: TokenID

    /// The fed token's place in the sequence, from 0.
    var position: Int
}
