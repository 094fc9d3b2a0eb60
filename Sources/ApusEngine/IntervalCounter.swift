/// Groups equal times between tokens: streams of one batch mostly moved together the last time as well.
struct IntervalCounter {
    private var nanoseconds: Int64 = 0
    private var count = 0

    /// Takes the time of one stream.
    mutating func note(_ nanoseconds: Int64, in intervals: inout [StepResult.Interval]) {
        if nanoseconds != self.nanoseconds {
            finish(in: &intervals)
            self.nanoseconds = nanoseconds
        }
        count += 1
    }

    /// Writes the group in work.
    mutating func finish(in intervals: inout [StepResult.Interval]) {
        guard count > 0 else { return }
        intervals.append(StepResult.Interval(duration: .nanoseconds(nanoseconds), count: count))
        count = 0
    }
}
