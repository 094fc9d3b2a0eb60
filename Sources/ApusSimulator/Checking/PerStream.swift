/// A state for each stream, found by the stream's number without hashing.
///
/// Numbers are dense from the first one on; a number that is far away, as only a lie makes it, shares one state with all such.
struct PerStream<State> {
    /// How far a number may be from the first one.
    private static var span: UInt64 { 1 << 22 }

    /// The number of the first stream.
    let first: UInt64

    private let initial: State
    private var stray: State
    private var states: [State] = []

    /// Begins with the same state for every stream.
    init(from first: UInt64, initial: State) {
        self.first = first
        self.initial = initial
        stray = initial
    }

    /// The number after the last stream whose state was ever changed.
    var end: UInt64 { first + UInt64(states.count) }

    subscript(stream: UInt64) -> State {
        @inline(__always)
        get {
            let offset = stream &- first
            return offset < UInt64(states.count) ? states[Int(truncatingIfNeeded: offset)] : initial
        }
        @inline(__always)
        _modify {
            let offset = stream &- first
            if offset < UInt64(states.count) {
                yield &states[Int(truncatingIfNeeded: offset)]
            } else if offset < Self.span {
                grow(to: Int(offset) + 1)
                yield &states[Int(offset)]
            } else {
                stray = initial
                yield &stray
            }
        }
    }

    private mutating func grow(to count: Int) {
        // Most worlds have fewer streams than this, and none of their many tables grows again.
        if states.isEmpty { states.reserveCapacity(64) }
        while states.count < count { states.append(initial) }
    }
}
