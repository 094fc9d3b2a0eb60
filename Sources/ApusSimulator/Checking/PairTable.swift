/// A state for each pair of numbers, such as a connection and a stream: open addressing, never emptied.
struct PairTable<State> {
    private var keys: [(left: UInt64, right: UInt64)]
    private var places: [Int32]
    private var states: [State] = []
    private let initial: State

    /// Begins with the same state for every pair.
    init(initial: State) {
        self.initial = initial
        keys = []
        places = [Int32](repeating: -1, count: 64)
    }

    /// The states that were ever changed, in the order of their first change.
    var all: [State] { states }

    subscript(left: UInt64, right: UInt64) -> State {
        @inline(__always)
        get {
            let place = places[slot(of: left, right)]
            return place < 0 ? initial : states[Int(place)]
        }
        @inline(__always)
        _modify {
            var slot = slot(of: left, right)
            if places[slot] < 0 {
                if (states.count + 1) * 2 > places.count {
                    grow()
                    slot = self.slot(of: left, right)
                }
                places[slot] = Int32(states.count)
                keys.append((left, right))
                states.append(initial)
            }
            yield &states[Int(places[slot])]
        }
    }

    @inline(__always)
    private func slot(of left: UInt64, _ right: UInt64) -> Int {
        let mask = places.count - 1
        let mixed = (left &* 0x9e37_79b9_7f4a_7c15 ^ right) &* 0xff51_afd7_ed55_8ccd
        var slot = Int(truncatingIfNeeded: mixed >> 32) & mask
        while places[slot] >= 0, keys[Int(places[slot])] != (left, right) { slot = (slot + 1) & mask }
        return slot
    }

    private mutating func grow() {
        places = [Int32](repeating: -1, count: places.count * 2)
        for (place, key) in keys.enumerated() { places[slot(of: key.left, key.right)] = Int32(place) }
    }
}
