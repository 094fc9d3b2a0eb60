/// How a row that is alone in its pass keeps the bits that it has beside others.
///
/// llama.cpp's plain attention for processors adds up a lone row's context (from 257 tokens on) in parts, one a thread.
/// `Scripts/setup.sh` takes that out; a library from elsewhere may have it. The probe at load measures which one it is.
enum LoneRowPolicy: Hashable {
    /// A lone row has the same bits as any other.
    case asIs
    /// A dummy row in a neighbouring slot makes it two.
    case besideCompanion
    /// One thread computes it.
    case onOneThread
}

/// Which slots a pass feeds: the rows that are due, and dummy rows that hold runs of slots together.
///
/// llama.cpp computes only runs of consecutive slots in one go. Each further run costs about two rows' time, so that a gap
/// of one or two slots is cheaper to fill than to leave.
struct PassPlan {
    /// A slot to feed.
    struct Entry: Hashable {
        /// The slot.
        var slot: Int
        /// The place of its row among those that are due; `nil` for a dummy.
        var row: Int?
    }

    /// The widest gap that is filled.
    static let widestFilledGap = 2

    /// The slots to feed, in rising order.
    private(set) var entries: [Entry] = []

    /// Whether some row stays alone under a policy that doesn't allow it: one thread then computes the whole pass.
    private(set) var needsOneThread = false

    /// Lays out a pass; keeps the memory of the last one.
    ///
    /// - Parameters:
    ///   - due: The slots whose rows are due, in rising order.
    ///   - policy: What to do about lone rows.
    ///   - slots: The number of slots.
    ///   - canHoldDummy: Whether a slot can take one token more for a moment.
    mutating func lay(out due: some Collection<Int>, policy: LoneRowPolicy, slots: Int, canHoldDummy: (Int) -> Bool) {
        entries.removeAll(keepingCapacity: true)
        needsOneThread = false
        var runStart = 0
        var row = 0
        for slot in due {
            if let last = entries.last?.slot {
                let gap = last + 1..<slot
                if gap.count <= Self.widestFilledGap, gap.allSatisfy(canHoldDummy) {
                    for filled in gap { entries.append(Entry(slot: filled, row: nil)) }
                } else {
                    closeRun(from: runStart, policy: policy, slots: slots, canHoldDummy: canHoldDummy)
                    runStart = entries.count
                }
            }
            entries.append(Entry(slot: slot, row: row))
            row += 1
        }
        closeRun(from: runStart, policy: policy, slots: slots, canHoldDummy: canHoldDummy)
    }

    private mutating func closeRun(from start: Int, policy: LoneRowPolicy, slots: Int, canHoldDummy: (Int) -> Bool) {
        guard policy != .asIs, entries.count - start == 1 else { return }
        let slot = entries[start].slot
        // A slot of a neighbouring run is out of question: the gap in between is wide, or holds no dummy.
        if policy == .besideCompanion, slot + 1 < slots, canHoldDummy(slot + 1) {
            entries.append(Entry(slot: slot + 1, row: nil))
        } else if policy == .besideCompanion, slot > 0, canHoldDummy(slot - 1) {
            entries.insert(Entry(slot: slot - 1, row: nil), at: start)
        } else {
            needsOneThread = true
        }
    }
}
