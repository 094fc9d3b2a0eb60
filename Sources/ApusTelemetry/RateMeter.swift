public import ApusModel

/// Events a second over the last few seconds, from counts with timestamps; a pure value without clock.
///
/// The window is cut into tenths: memory and work are constant whatever the rate.
public struct RateMeter: Sendable {
    private static let parts: Int64 = 10

    /// Nanoseconds of a part.
    private let part: Int64
    private var counts: [UInt64]
    /// The number of the part in work, counted from the clock's origin; `nil` before the first event.
    private var current: Int64?
    /// When the first event came; the rate of a young meter looks no further back.
    private var began = Timestamp.zero

    /// Starts without events.
    ///
    /// - Parameter window: How far back the rate looks.
    public init(window: Duration = .seconds(5)) {
        part = max(1, window.nanoseconds / Self.parts)
        counts = Array(repeating: 0, count: Int(Self.parts) + 1)
    }

    /// Counts events; a moment earlier than the latest one counts as the latest.
    public mutating func record(_ count: Int, at now: Timestamp) {
        if current == nil { began = now }
        advance(to: now)
        guard let current else { return }
        counts[place(of: current)] &+= UInt64(clamping: count)
    }

    /// The rate over the window that ends now, in events a second.
    public mutating func perSecond(at now: Timestamp) -> Double {
        guard current != nil else { return 0 }
        advance(to: now)
        let sum = counts.reduce(UInt64(0)) { $0 &+ $1 }
        // The part in work is only partly over, so the window has ten parts and what has passed of the eleventh.
        let covered = part * Self.parts + max(0, now.nanoseconds) % part
        // A meter younger than a part would turn its first event into any rate.
        let age = max(part, min(covered, now.nanoseconds - began.nanoseconds))
        return Double(sum) * 1e9 / Double(age)
    }

    private mutating func advance(to now: Timestamp) {
        let number = max(0, now.nanoseconds) / part
        guard let last = current else {
            current = number
            return
        }
        guard number > last else { return }
        for passed in 0..<min(number - last, Int64(counts.count)) { counts[place(of: number - passed)] = 0 }
        current = number
    }

    private func place(of number: Int64) -> Int { Int(number % Int64(counts.count)) }
}
