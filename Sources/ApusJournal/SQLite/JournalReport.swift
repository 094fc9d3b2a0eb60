/// What was found in a journal, and what a repair did with it.
public struct JournalReport: Hashable, Sendable, Encodable {
    /// Something that is wrong.
    public struct Finding: Hashable, Sendable, Encodable {
        /// Where: the table and the row, or the file and the place in it.
        public var place: String

        /// What is wrong there.
        public var problem: String
    }

    /// What a repair lost, or what it would cost a stream.
    public struct Loss: Hashable, Sendable, Encodable {
        /// The job's name; empty where it is not known any more.
        public var job: String

        /// The stream's number.
        public var stream: UInt64

        /// What became of it.
        public var outcome: Outcome
    }

    /// What became of a damaged stream.
    public enum Outcome: String, Sendable, Encodable {
        /// Its acceptance is kept and its tokens are computed again.
        case computedAgain = "computed_again"
        /// It had ended; its job is gone.
        case forgotten
        /// It had ended beside others of its job; it counts as failed.
        case failed
        /// Its acceptance is lost, and with it everything.
        case lost
    }

    /// What is wrong; of a great many the first.
    public internal(set) var findings: [Finding] = []

    /// How many things are wrong.
    public internal(set) var findingCount = 0

    /// Streams that lose something by a repair, by rising numbers.
    public internal(set) var losses: [Loss] = []

    /// Whole jobs.
    public internal(set) var jobs = 0

    /// Of their streams, those that have not ended.
    public internal(set) var runningStreams = 0

    /// Whole rows of attempts.
    public internal(set) var leases = 0

    /// Tokens in whole chunks and in the log's tails.
    public internal(set) var tokens = 0

    /// Whole rows of the log.
    public internal(set) var logRows = 0

    /// For a repair: where the damaged database is now; `nil` where nothing was wrong, and for a check.
    public internal(set) var damagedFile: String?

    /// Whether nothing is wrong.
    public var isWhole: Bool { findingCount == 0 }

    private static let mostFindings = 1_000

    /// Notes something that is wrong.
    mutating func add(_ place: String, _ problem: String) {
        findingCount += 1
        if findings.count < Self.mostFindings { findings.append(Finding(place: place, problem: problem)) }
    }
}
