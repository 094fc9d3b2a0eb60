import ApusModel

/// What a commit has changed in memory before its transaction ended, so that a failure can take it back.
struct JournalTurn {
    /// Tails that tokens were appended to, with their counts before; the same stream may be there more than once.
    var marks: [(place: Int, tokens: Int)] = []

    /// Streams in memory only that tokens were appended to, with their counts before.
    var volatileMarks: [(stream: StreamID, tokens: Int)] = []

    /// Changes by records, in order.
    var changes: [Change] = []

    /// Streams whose tails become chunks in this turn.
    var flushed: [StreamID] = []

    /// Bytes that the chunks of running streams added to their jobs.
    var grown: [(job: UInt64, bytes: Int)] = []

    /// Records about jobs that are in memory only, which are applied once the transaction is through.
    var volatileRecords: [JournalRecord] = []

    /// The numbers of streams that `volatileRecords` accepts.
    var volatileStreams: [Range<UInt64>] = []

    /// What each row of the present columns is.
    var kinds: [RowKind] = []

    /// The new promise about numbers, where there is one.
    var reservation: UInt64?

    /// Jobs that were added, less those that are forgotten.
    var jobs = 0

    /// Bytes of tails before the turn.
    var tailBytes = 0

    /// The log is cut before this row, where it is.
    var trimmed: Int64?

    /// Where a row's tokens go.
    enum RowKind: UInt8 {
        case released
        case accepted
        case volatile
    }

    /// A change of the live streams by a record.
    enum Change {
        case inserted(Range<UInt64>)
        case leased(StreamID, ModelName?)
        case removed(LiveStream)
        case job(UInt64, LiveJob?)
    }

    /// Begins a turn.
    mutating func begin(tailBytes: Int) {
        marks.removeAll(keepingCapacity: true)
        volatileMarks.removeAll(keepingCapacity: true)
        changes.removeAll(keepingCapacity: true)
        flushed.removeAll(keepingCapacity: true)
        grown.removeAll(keepingCapacity: true)
        volatileRecords.removeAll(keepingCapacity: true)
        volatileStreams.removeAll(keepingCapacity: true)
        reservation = nil
        jobs = 0
        self.tailBytes = tailBytes
        trimmed = nil
    }

    /// The stream's tail becomes a chunk in this turn.
    mutating func flush(_ place: Int, _ live: inout LiveStreams) {
        guard !live.streams[place].isFlushed else { return }
        live.streams[place].isFlushed = true
        flushed.append(live.streams[place].stream)
    }

    /// Notes the tails that begin in the log's row of this turn.
    func noteTails(_ seq: Int64, _ live: inout LiveStreams, _ log: inout TokenLog) {
        for mark in marks {
            guard live.streams[mark.place].tailSeq == 0, live.streams[mark.place].tail.count > 0,
                live.streams[mark.place].durability == .released
            else { continue }
            live.streams[mark.place].tailSeq = seq
            log.began(live.streams[mark.place].stream, seq)
        }
    }
}
