import ApusCore
import ApusModel

/// A disk that holds a coordinator's journal: it keeps what each job's durability asks for, and may fail.
///
/// A batch is appended, then synced; only what is synced is sure to outlive a crash. Everything that is synced can be read as
/// long as the coordinator's process lives; what no job's durability asks for is gone with it.
struct SimulatedDisk {
    /// Where tokens of a stream stand, and where the ones before them do.
    struct Piece {
        let batch: Int32
        let columns: Int32
        let firstToken: Int32
        let firstByte: Int32
        let firstDetail: Int32
        let firstIndex: Int32
        let count: Int32
        let previous: Int32
    }

    /// What is known of a stream without its tokens.
    struct KeptStream {
        /// The place of its job among `jobs`; -1 for a stream that is not kept.
        var job: Int32 = -1

        /// The last of its pieces; -1 for none.
        var lastPiece: Int32 = -1

        /// Where its end stands; -1 for a stream that has not ended.
        var endBatch: Int32 = -1
        var endRecord: Int32 = -1
    }

    /// A job that is kept.
    struct Job {
        /// Where its acceptance stands.
        let batch: Int
        let record: Int
        let streams: Range<UInt64>
        let durability: Durability
        var unended: Int
        var endedAt = Timestamp.zero
        var isForgotten = false
    }

    /// Why batches are refused.
    enum Refusal: Hashable {
        case full, readOnly
        /// Nobody knows whether a refused batch reached the disk.
        case syncFails
    }

    /// Numbers of streams that are reserved at a time.
    static let reservation: UInt64 = 32

    /// What was appended, in order.
    private(set) var batches: [SimulatedBatch] = []

    /// So many batches are synced.
    private(set) var synced = 0

    /// Streams that are known, by their numbers.
    private(set) var streams: [KeptStream] = []
    private(set) var pieces: [Piece] = []
    private(set) var jobs: [Job] = []
    var jobPlaces: [JobID: Int] = [:]
    var keyPlaces: [String: Int] = [:]

    /// The places of jobs that ended, in the order of their ends; the first `forgottenJobs` are gone.
    private(set) var endedJobs: [Int] = []
    private var forgottenJobs = 0

    /// Jobs that have not ended.
    private(set) var unendedJobs = 0

    /// The highest stream number that may be in use.
    private(set) var numbersUsed: UInt64 = 0

    /// Whether there ever was a job that asks for less than everything.
    private var hasVolatile = false

    /// Why batches are refused, and until when; `nil` while all is well.
    var refusal: (cause: Refusal, until: Int64)?

    /// Until when nothing can be read.
    var unreadableUntil: Int64 = 0

    /// A refused batch that may have reached the disk all the same.
    private var refused: SimulatedBatch?

    /// Appends a batch; it may be lost until it is synced.
    mutating func append(_ batch: SimulatedBatch) {
        // It is written where the refused one stood.
        refused = nil
        batches.append(batch)
        batches[batches.count - 1].seal()
    }

    /// Makes everything durable and readable.
    mutating func sync() {
        refused = nil
        while synced < batches.count {
            index(synced)
            synced += 1
        }
    }

    /// Whether a batch would be refused now.
    func refuses(at now: Int64) -> Bool {
        guard let refusal else { return false }
        return now < refusal.until
    }

    /// A batch is refused; where only its sync failed, it may be there all the same.
    mutating func refuse(_ batch: SimulatedBatch) {
        refused = refusal?.cause == .syncFails ? batch : nil
    }

    /// Everything works again.
    mutating func heal() {
        refusal = nil
        unreadableUntil = 0
    }

    /// A batch that was refused and that a crash may bring to light, instead of those that nobody refused.
    var uncertain: SimulatedBatch? { refused }

    /// The machine lost its power, or the coordinator's process died.
    ///
    /// - Parameter tail: What became of a batch that was written and not synced, or of the refused one.
    /// - Returns: What the coordinator's death took.
    mutating func crash(_ tail: SimulatedCoordinator.Tail) -> CoordinatorLoss {
        if tail == .kept, let batch = refused { append(batch) }
        refused = nil
        switch tail {
        case .kept: sync()
        case .lost: batches.removeLast(batches.count - synced)
        case .torn:
            if batches.count > synced {
                batches.removeLast(batches.count - synced - 1)
                batches[synced].tear()
            }
        }
        guard hasVolatile else { return CoordinatorLoss() }
        return dropVolatile()
    }

    /// A new process opens the journal: a batch that fails its checksum is dropped.
    mutating func open() {
        if let last = batches.last, !last.isWhole { batches.removeLast() }
    }

    // MARK: - What a crash takes

    private mutating func dropVolatile() -> CoordinatorLoss {
        var loss = CoordinatorLoss()
        for job in jobs where !job.isForgotten {
            switch job.durability {
            case .released: break
            case .accepted:
                for stream in job.streams where !hasEnded(stream) && count(of: StreamID(rawValue: stream)) > 0 {
                    loss.derivedAgain.append(StreamID(rawValue: stream))
                }
            case .none:
                if let accepted = acceptance(of: job) { loss.gone.append(accepted) }
            }
        }
        for batch in 0..<synced {
            for place in batches[batch].tokens.indices
            where !batches[batch].tokens[place].streams.allSatisfy(keepsTokens) {
                let columns = batches[batch].tokens[place].rows(where: keepsTokens)
                batches[batch].tokens[place] = columns
            }
            if batches[batch].records.contains(where: isGone) {
                let records = batches[batch].records.filter { !isGone($0) }
                batches[batch].records = records
            }
            batches[batch].seal()
        }
        rebuild()
        return loss
    }

    private func isGone(_ record: JournalRecord) -> Bool {
        durability(of: record.firstStream) == Durability.none
    }

    private func keepsTokens(_ stream: UInt64) -> Bool {
        guard let durability = durability(of: stream) else { return true }
        return durability == .released || durability == .accepted && hasEnded(stream)
    }

    private func durability(of stream: UInt64) -> Durability? {
        guard stream < UInt64(streams.count), streams[Int(stream)].job >= 0 else { return nil }
        return jobs[Int(streams[Int(stream)].job)].durability
    }

    private func hasEnded(_ stream: UInt64) -> Bool { streams[Int(stream)].endBatch >= 0 }

    private mutating func rebuild() {
        streams.removeAll(keepingCapacity: true)
        pieces.removeAll(keepingCapacity: true)
        jobs.removeAll(keepingCapacity: true)
        jobPlaces.removeAll(keepingCapacity: true)
        keyPlaces.removeAll(keepingCapacity: true)
        endedJobs.removeAll(keepingCapacity: true)
        forgottenJobs = 0
        unendedJobs = 0
        for batch in 0..<synced { index(batch) }
    }

    // MARK: - The index

    private mutating func index(_ batch: Int) {
        for columns in batches[batch].tokens.indices { index(columns, of: batch) }
        for record in batches[batch].records.indices {
            switch batches[batch].records[record] {
            case .accepted(let accepted): index(accepted, record, of: batch)
            case .leased: break
            case .ended(let stream, _, let moment):
                guard stream.rawValue < UInt64(streams.count), !hasEnded(stream.rawValue) else { continue }
                streams[Int(stream.rawValue)].endBatch = Int32(batch)
                streams[Int(stream.rawValue)].endRecord = Int32(record)
                let job = Int(streams[Int(stream.rawValue)].job)
                guard job >= 0 else { continue }
                jobs[job].unended -= 1
                guard jobs[job].unended == 0 else { continue }
                jobs[job].endedAt = moment
                endedJobs.append(job)
                unendedJobs -= 1
            case .forgotten(let stream): forget(stream)
            }
        }
    }

    private mutating func index(_ accepted: AcceptedRecord, _ record: Int, of batch: Int) {
        if accepted.streams.upperBound > numbersUsed + 1 {
            numbersUsed = accepted.streams.upperBound - 1 + Self.reservation
        }
        if accepted.request.durability != .released { hasVolatile = true }
        while UInt64(streams.count) < accepted.streams.upperBound { streams.append(KeptStream()) }
        for stream in accepted.streams { streams[Int(stream)].job = Int32(jobs.count) }
        jobPlaces[accepted.job] = jobs.count
        keyPlaces[accepted.key] = jobs.count
        jobs.append(
            Job(
                batch: batch,
                record: record,
                streams: accepted.streams,
                durability: accepted.request.durability,
                unended: accepted.streams.count
            )
        )
        unendedJobs += 1
    }

    private mutating func forget(_ stream: StreamID) {
        guard stream.rawValue < UInt64(streams.count), streams[Int(stream.rawValue)].job >= 0 else { return }
        let place = Int(streams[Int(stream.rawValue)].job)
        guard !jobs[place].isForgotten else { return }
        jobs[place].isForgotten = true
        guard let accepted = acceptance(of: jobs[place]) else { return }
        if jobPlaces[accepted.job] == place { jobPlaces[accepted.job] = nil }
        if keyPlaces[accepted.key] == place { keyPlaces[accepted.key] = nil }
    }

    /// What was promised of a job.
    func acceptance(of job: Job) -> AcceptedRecord? {
        if case .accepted(let accepted) = batches[job.batch].records[job.record] { accepted } else { nil }
    }

    /// Passes over ended jobs that are forgotten already.
    ///
    /// - Returns: The places of the others, in the order of their ends.
    mutating func keptEnded() -> ArraySlice<Int> {
        while forgottenJobs < endedJobs.count, jobs[endedJobs[forgottenJobs]].isForgotten { forgottenJobs += 1 }
        return endedJobs[forgottenJobs...]
    }

    private mutating func index(_ columns: Int, of batch: Int) {
        var token = 0
        var byte = 0
        var detail = 0
        for row in batches[batch].tokens[columns].streams.indices {
            let stream = Int(batches[batch].tokens[columns].streams[row])
            let count = Int(batches[batch].tokens[columns].counts[row])
            while streams.count <= stream { streams.append(KeptStream()) }
            pieces.append(
                Piece(
                    batch: Int32(batch),
                    columns: Int32(columns),
                    firstToken: Int32(token),
                    firstByte: Int32(byte),
                    firstDetail: Int32(detail),
                    firstIndex: Int32(batches[batch].tokens[columns].firstIndexes[row]),
                    count: Int32(count),
                    previous: streams[stream].lastPiece
                )
            )
            streams[stream].lastPiece = Int32(pieces.count - 1)
            for place in token..<token + count {
                byte += Int(batches[batch].tokens[columns].textLengths[place])
            }
            detail += batches[batch].tokens[columns].detailBytes(of: token..<token + count)
            token += count
        }
    }
}

/// What a coordinator's death took, because the jobs asked for no more.
struct CoordinatorLoss: Hashable, Sendable {
    /// Streams whose tokens are gone and will be computed again.
    var derivedAgain: [StreamID] = []

    /// Jobs that are gone.
    var gone: [AcceptedRecord] = []

    /// Whether nothing is lost.
    var isEmpty: Bool { derivedAgain.isEmpty && gone.isEmpty }
}

extension JournalRecord {
    /// The first stream that it is about.
    var firstStream: UInt64 {
        switch self {
        case .accepted(let accepted): accepted.stream.rawValue
        case .leased(let lease): lease.stream.rawValue
        case .ended(let stream, _, _): stream.rawValue
        case .forgotten(let stream): stream.rawValue
        }
    }
}
