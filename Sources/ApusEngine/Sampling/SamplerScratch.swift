/// Working memory of draws, of the vocabulary's size: about 1.6 MB for 50,000 tokens.
///
/// It holds nothing from one draw to the next, so that one serves all sequences of a thread. Isolation: one thread at a time.
public final class SamplerScratch {
    let pages = LogitPages()
    let weighed = WeighedRow()
    let candidates = CandidateList()
    var buckets = RankBuckets()

    /// The repetitions that a draw found: token and length in one number.
    var repetitions: [UInt64] = []

    /// Memory that grows with the first draw.
    public init() {}
}
