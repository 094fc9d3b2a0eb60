import ApusModel

@testable import ApusCore

/// SplitMix64 (Steele, Lea, Flood 2014), so that a seed is one run.
struct QueueRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var bits = state
        bits = (bits ^ bits >> 30) &* 0xbf58_476d_1ce4_e5b9
        bits = (bits ^ bits >> 27) &* 0x94d0_49bb_1331_11eb
        return bits ^ bits >> 31
    }
}

extension WaitingStream {
    /// A stream of a client that is named by a small number.
    static func sample(
        _ stream: UInt64,
        client: UInt64 = 1,
        priority: Priority = .normal,
        deadline: Int64 = 0,
        work: Int = 100,
        weight: Int = 1,
        isFailover: Bool = false
    ) -> WaitingStream {
        WaitingStream(
            stream: StreamID(rawValue: stream),
            client: ClientKey(rawValue: client),
            priority: priority,
            deadline: Timestamp(nanoseconds: deadline),
            work: work,
            weight: weight,
            isFailover: isFailover
        )
    }

    /// The same stream after it lost its slot.
    var failedOver: WaitingStream {
        WaitingStream(
            stream: stream,
            client: client,
            priority: priority,
            deadline: deadline,
            work: work,
            weight: weight,
            isFailover: true
        )
    }
}
