/// The masks of the states that were asked for last.
struct MaskCache: Sendable {
    /// States larger than this are not kept.
    private static let largestState = 16_384

    private struct Entry {
        var state: GrammarState
        var mask: TokenMask
        /// The entry used just before and just after this one, by place.
        var older: Int
        var newer: Int
    }

    private let capacity: Int
    private var entries: [Entry] = []
    private var places: [GrammarState: Int] = [:]
    private var oldest = -1
    private var newest = -1

    /// Keeps up to this many masks.
    init(capacity: Int) { self.capacity = max(1, capacity) }

    /// The mask of a state, if it is kept.
    mutating func mask(of state: GrammarState) -> TokenMask? {
        guard let place = places[state] else { return nil }
        if place != newest {
            unlink(place)
            linkNewest(place)
        }
        return entries[place].mask
    }

    /// Keeps a mask; the one that was not used for longest goes.
    mutating func insert(_ mask: TokenMask, of state: GrammarState) {
        guard state.size <= Self.largestState, places[state] == nil else { return }
        let place: Int
        if entries.count < capacity {
            place = entries.count
            entries.append(Entry(state: state, mask: mask, older: -1, newer: -1))
        } else {
            place = oldest
            places[entries[place].state] = nil
            unlink(place)
            entries[place] = Entry(state: state, mask: mask, older: -1, newer: -1)
        }
        places[state] = place
        linkNewest(place)
    }

    private mutating func unlink(_ place: Int) {
        let entry = entries[place]
        if entry.older >= 0 { entries[entry.older].newer = entry.newer } else { oldest = entry.newer }
        if entry.newer >= 0 { entries[entry.newer].older = entry.older } else { newest = entry.older }
    }

    private mutating func linkNewest(_ place: Int) {
        entries[place].older = newest
        entries[place].newer = -1
        if newest >= 0 { entries[newest].newer = place } else { oldest = place }
        newest = place
    }
}
