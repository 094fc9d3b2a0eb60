import ApusModel

/// The flows of a client's streams by their slots: takes a message's rows and gathers the credit that they make due.
///
/// It is not generic and a flow is plain data, so a row costs a few array accesses, whoever follows the stream.
struct FlowTable: Sendable {
    private var flows: [StreamFlow] = []
    private var slots: [UInt64: Int] = [:]
    private var creditDue: [Int] = []

    /// The slot that last had a number with these low bits; a guess, which the slot's flow proves or refutes.
    ///
    /// Coordinators count their streams, so numbers in use seldom share their low bits and a row needs no hashing. The
    /// size follows the slots alone, so a peer with numbers far apart costs the dictionary's time and no memory.
    private var guesses: [Int] = Array(repeating: 0, count: 64)

    /// A slot's flow; of a closed slot, what its last stream left.
    subscript(slot: Int) -> StreamFlow {
        get { flows[slot] }
        _modify { yield &flows[slot] }
    }

    /// A stream begins without a number; `slot` is one that was used before, or the next.
    mutating func open(_ flow: StreamFlow, slot: Int) {
        if slot < flows.count { flows[slot] = flow } else { flows.append(flow) }
        if flows.count * 2 > guesses.count {
            guesses = Array(repeating: 0, count: guesses.count * 2)
            for (number, slot) in slots { guesses[place(ofGuess: number)] = slot }
        }
    }

    /// A stream is gone.
    mutating func close(slot: Int) {
        forgetNumber(slot: slot)
        flows[slot].isCreditDue = false
    }

    // MARK: - Numbers

    /// The slot of the stream with a number; any number may be asked for.
    func slot(of number: UInt64) -> Int? {
        let guess = guesses[place(ofGuess: number)]
        if guess < flows.count, flows[guess].number == number, flows[guess].isNumbered { return guess }
        return slots[number]
    }

    /// A stream has a number now, in place of a former one; no other stream has it.
    mutating func setNumber(_ number: UInt64, slot: Int) {
        forgetNumber(slot: slot)
        flows[slot].number = number
        flows[slot].isNumbered = true
        slots[number] = slot
        guesses[place(ofGuess: number)] = slot
        // What was consumed while the stream had no number could not be told.
        noteCredit(slot: slot)
    }

    /// No stream has a number any more, and no credit can be told.
    mutating func forgetNumbers() {
        slots.removeAll(keepingCapacity: true)
        creditDue.removeAll(keepingCapacity: true)
        for slot in flows.indices {
            flows[slot].isNumbered = false
            flows[slot].isCreditDue = false
        }
    }

    // The number of guesses is a power of two.
    private func place(ofGuess number: UInt64) -> Int { Int(truncatingIfNeeded: number) & (guesses.count - 1) }

    private mutating func forgetNumber(slot: Int) {
        guard flows[slot].isNumbered else { return }
        slots[flows[slot].number] = nil
        flows[slot].isNumbered = false
    }

    // MARK: - Tokens

    /// Takes a message's rows.
    ///
    /// - Parameter columns: Valid columns.
    /// - Returns: What is new to the streams, and the gaps; a stream with its second gap has no number afterwards.
    mutating func take(_ columns: TokenColumns) -> (deliveries: [TokenDelivery], gaps: [TokenGap]) {
        let streams = columns.streams
        let firstIndexes = columns.firstIndexes
        let counts = columns.counts
        let lengths = columns.textLengths
        var deliveries: [TokenDelivery] = []
        deliveries.reserveCapacity(streams.count)
        var gaps: [TokenGap] = []
        var token = 0
        var byte = 0
        for row in streams.indices {
            let count = Int(counts[row])
            let firstToken = token
            let firstByte = byte
            token += count
            for place in firstToken..<token { byte += Int(lengths[place]) }
            guard let slot = slot(of: streams[row]) else { continue }
            let first = firstIndexes[row]
            let next = flows[slot].next
            guard first <= next else {
                if let gap = noteGap(slot: slot, before: first) { gaps.append(gap) }
                continue
            }
            let known = Int(next - first)
            guard known < count else { continue }
            var start = firstByte
            for place in firstToken..<(firstToken + known) { start += Int(lengths[place]) }
            flows[slot].next = first + UInt64(count)
            flows[slot].isResynchronised = false
            deliveries.append(
                TokenDelivery(
                    slot: slot,
                    firstIndex: Int(next),
                    tokens: (firstToken + known)..<token,
                    bytes: start..<byte
                )
            )
        }
        return (deliveries, gaps)
    }

    private mutating func noteGap(slot: Int, before index: UInt64) -> TokenGap? {
        if flows[slot].isReattaching { return nil }
        let gap = TokenGap(slot: slot, missing: flows[slot].next..<index, isSecond: flows[slot].isResynchronised)
        if gap.isSecond {
            // The stream fails; rows after the gap belong to nobody.
            forgetNumber(slot: slot)
        } else {
            flows[slot].isReattaching = true
            flows[slot].isResynchronised = true
        }
        return gap
    }

    // MARK: - Credit

    /// A consumer has consumed its stream up to an index.
    mutating func consumed(slot: Int, through index: Int) {
        let consumed = min(UInt64(clamping: index), flows[slot].next)
        guard consumed > flows[slot].consumed else { return }
        flows[slot].consumed = consumed
        noteCredit(slot: slot)
    }

    private mutating func noteCredit(slot: Int) {
        let flow = flows[slot]
        // Half a window keeps the stream moving while a raise travels, at one row of credit for as many tokens.
        guard flow.consumed + flow.window >= flow.limit + max(1, flow.window / 2), flow.isNumbered, !flow.isCreditDue
        else { return }
        flows[slot].isCreditDue = true
        creditDue.append(slot)
    }

    /// Grants the credit that became due since the last call.
    ///
    /// - Returns: The streams' numbers and their new limits, in the order in which they became due.
    mutating func takeCredit() -> [(number: UInt64, limit: UInt64)] {
        if creditDue.isEmpty { return [] }
        var rows: [(number: UInt64, limit: UInt64)] = []
        for slot in creditDue where flows[slot].isCreditDue {
            flows[slot].grant()
            rows.append((flows[slot].number, flows[slot].limit))
        }
        creditDue.removeAll(keepingCapacity: true)
        return rows
    }
}
