import ApusModel

/// Tells a stream's attempts and tokens in the order in which they were committed.
struct StreamTeller {
    private let stream: StreamID
    private let leases: [LeaseRow]
    private let clock: JournalClock
    private var next = 0
    private var index = 0

    /// Begins with a stream's attempts, in the order of their epochs.
    init(stream: StreamID, leases: [LeaseRow], clock: JournalClock) {
        self.stream = stream
        self.leases = leases
        self.clock = clock
    }

    /// Tells the next tokens, with the attempts that were decided before them and between them.
    mutating func tell(_ run: EpochRun, _ tell: (JournalFact) -> Void) {
        var left = Int(run.count)
        while left > 0 {
            var part = left
            if next < leases.count {
                guard leases[next].atIndex > index else {
                    tellLease(tell)
                    continue
                }
                part = min(left, leases[next].atIndex - index)
            }
            var columns = TokenColumns()
            columns.streams = [stream.rawValue]
            columns.epochs = [run.epoch]
            columns.firstIndexes = [UInt64(index)]
            columns.counts = [UInt32(part)]
            tell(.tokens(columns))
            index += part
            left -= part
        }
    }

    /// Tells the attempts that no tokens followed.
    mutating func finish(_ tell: (JournalFact) -> Void) {
        while next < leases.count { tellLease(tell) }
    }

    private mutating func tellLease(_ tell: (JournalFact) -> Void) {
        tell(.record(.leased(leases[next].record(clock))))
        next += 1
    }
}
