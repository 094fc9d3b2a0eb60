public import ApusModel

/// A journal in memory: it survives workers and clients, but not its coordinator.
///
/// Memory is bounded by what the coordinator keeps: a stream's tokens go when its retention ends, and the large parts
/// of a request at the end of its job where that was good.
public final class MemoryJournal: Journal {
    private var streams: [MemoryStream] = []
    private var places = StreamTable()
    private var vacant: [Int] = []
    private var jobs: [JobID: AcceptedRecord] = [:]
    private var keys: [String: JobID] = [:]
    private var commits: UInt64 = 0
    private var tokenBytes = 0

    /// Starts empty.
    public init() {}

    /// `memory`.
    public var kind: String { "memory" }

    /// Streams that are kept.
    public var count: Int { places.count }

    /// The coordinator's own memory is all there is.
    public var keepsEnded: Bool { false }

    /// Jobs, commits and the tokens' memory; there is no disk.
    public var figures: JournalFigures {
        var figures = JournalFigures()
        figures.jobs = UInt64(jobs.count)
        figures.commits = commits
        figures.memoryBytes = UInt64(tokenBytes)
        return figures
    }

    /// Tells nothing: there is no former life.
    public func recover(_ tell: (JournalFact) -> Void) throws(ApusError) -> UInt64 { 0 }

    /// Appends the batch.
    ///
    /// - Throws: `internalFailure` for tokens of a stream that is not accepted or that do not come next: the coordinator's own
    ///   fault, after which it stops.
    public func commit(_ batch: JournalBatch) throws(ApusError) {
        for columns in batch.tokens { try append(columns) }
        for record in batch.records {
            switch record {
            case .accepted(let accepted):
                jobs[accepted.job] = accepted
                keys[accepted.key] = accepted.job
                for (choice, stream) in accepted.streams.enumerated() {
                    insert(StreamID(rawValue: stream), MemoryStream(job: accepted.job, choice: choice))
                }
            case .leased(let lease):
                if let place = places[lease.stream] { streams[place].model = lease.model }
            case .ended(let stream, let end, let moment):
                guard let place = places[stream] else { continue }
                streams[place].end = end
                streams[place].endedAt = moment
                dropRequest(of: streams[place].job)
            case .forgotten(let stream): remove(stream)
            }
        }
        commits += 1
    }

    /// Drops the large parts of a request that nobody will try again: all of the job's streams ended well.
    private func dropRequest(of job: JobID) {
        guard let accepted = jobs[job] else { return }
        let isDone = accepted.streams.allSatisfy { stream in
            places[StreamID(rawValue: stream)].map { streams[$0].end?.reason.isSuccess == true } ?? true
        }
        if isDone { jobs[job]?.request.removeBulk() }
    }

    private func insert(_ stream: StreamID, _ state: MemoryStream) {
        let place = vacant.popLast() ?? streams.count
        if place == streams.count { streams.append(state) } else { streams[place] = state }
        places.insert(stream, at: place)
    }

    private func remove(_ stream: StreamID) {
        guard let place = places.remove(stream) else { return }
        let job = streams[place].job
        tokenBytes -= streams[place].history.bytes
        streams[place] = MemoryStream(job: job, choice: 0)
        vacant.append(place)
        guard let accepted = jobs[job], accepted.streams.upperBound == stream.rawValue + 1 else { return }
        jobs[job] = nil
        if keys[accepted.key] == job { keys[accepted.key] = nil }
    }

    /// Appends rows; those before one that does not follow stay.
    func append(_ columns: TokenColumns) throws(ApusError) {
        var token = 0
        var byte = 0
        var detail = 0
        for row in 0..<columns.rows {
            let stream = StreamID(rawValue: columns.streams[row])
            let count = Int(columns.counts[row])
            guard let place = places[stream], streams[place].history.count == Int(columns.firstIndexes[row]) else {
                throw ApusError(.internalFailure, "tokens of stream \(stream) do not follow what the journal holds")
            }
            let bytes = count * 8 - byte - detail
            byte = streams[place].history.append(columns, tokens: token..<token + count, firstByte: byte)
            if columns.hasDetails {
                let tokens = token..<token + count
                detail = streams[place].history.appendDetails(columns, tokens: tokens, firstByte: detail)
            }
            tokenBytes += bytes + byte + detail
            token += count
        }
    }

    /// The number of a stream's tokens; `nil` for one that is not kept.
    func tokens(of stream: StreamID) -> Int? { places[stream].map { streams[$0].history.count } }

    /// Takes back tokens that were appended last.
    func truncate(_ stream: StreamID, to count: Int) {
        guard let place = places[stream] else { return }
        tokenBytes -= streams[place].history.bytes
        streams[place].history.truncate(to: count)
        tokenBytes += streams[place].history.bytes
    }

    /// Streams of jobs that ended before a moment, oldest first and jobs whole.
    func ended(before moment: Timestamp, limit: Int) -> [StreamID] {
        let old = jobs.values.compactMap { accepted -> (endedAt: Timestamp, streams: Range<UInt64>)? in
            let kept = accepted.streams.compactMap { places[StreamID(rawValue: $0)] }
            guard kept.allSatisfy({ streams[$0].end != nil }), let last = kept.map({ streams[$0].endedAt }).max(),
                last < moment
            else { return nil }
            return (last, accepted.streams)
        }
        var chosen: [StreamID] = []
        for job in old.sorted(by: { ($0.endedAt, $0.streams.lowerBound) < ($1.endedAt, $1.streams.lowerBound) }) {
            if chosen.count >= limit { break }
            chosen += job.streams.map { StreamID(rawValue: $0) }
        }
        return chosen
    }

    /// Reads tokens of a stream.
    public func read(_ stream: StreamID, _ range: Range<Int>, into columns: inout TokenColumns) throws(ApusError) {
        guard let place = places[stream], range.lowerBound >= 0, range.upperBound <= streams[place].history.count else {
            throw ApusError(.internalFailure, "the journal does not hold tokens \(range) of stream \(stream)")
        }
        streams[place].history.read(range, of: stream, into: &columns)
    }

    /// Reads the vocabulary numbers of a stream's tokens from index 0.
    public func history(of stream: StreamID, count: Int) throws(ApusError) -> [Int32] {
        guard let place = places[stream], count <= streams[place].history.count else {
            throw ApusError(.internalFailure, "the journal does not hold \(count) tokens of stream \(stream)")
        }
        return Array(streams[place].history.ids.prefix(count))
    }

    /// Finds a job that is not forgotten.
    public func find(_ name: JobReference) throws(ApusError) -> KeptJob? {
        let job: JobID? =
            switch name {
            case .job(let job): job
            case .key(let key): keys[key]
            }
        guard let accepted = job.flatMap({ jobs[$0] }) else { return nil }
        let kept = accepted.streams.compactMap { places[StreamID(rawValue: $0)] }.map { place in
            KeptStream(
                tokens: streams[place].history.count,
                end: streams[place].end,
                endedAt: streams[place].endedAt,
                model: streams[place].model
            )
        }
        return KeptJob(accepted: accepted, streams: kept)
    }

    /// None: the coordinator's own bounds decide.
    public func expired(at now: Timestamp, limit: Int) throws(ApusError) -> [StreamID] { [] }

    /// Streams that failed or expired and are not forgotten, newest first.
    public func deadLetters(limit: Int) throws(ApusError) -> [DeadLetter] {
        datedLetters(limit: limit).map(\.letter)
    }

    /// Dead letters with the moments of their ends, newest first.
    func datedLetters(limit: Int) -> [(endedAt: Timestamp, letter: DeadLetter)] {
        var letters: [(endedAt: Timestamp, letter: DeadLetter)] = []
        for (job, accepted) in jobs {
            for (choice, stream) in accepted.streams.enumerated() {
                guard let place = places[StreamID(rawValue: stream)], let end = streams[place].end,
                    end.reason == .failed || end.reason == .expired
                else { continue }
                let letter = DeadLetter(
                    job: job,
                    stream: StreamID(rawValue: stream),
                    choice: choice,
                    key: accepted.key,
                    client: accepted.client,
                    model: streams[place].model ?? accepted.request.model,
                    end: end,
                    acceptedAt: accepted.acceptedAt
                )
                letters.append((streams[place].endedAt, letter))
            }
        }
        letters.sort { ($0.endedAt, $0.letter.stream) > ($1.endedAt, $1.letter.stream) }
        return Array(letters.prefix(max(0, limit)))
    }
}

/// A stream as the memory keeps it.
private struct MemoryStream {
    let job: JobID
    let choice: Int
    var history = StreamHistory()
    var model: ModelName?
    var end: StreamEnd?
    var endedAt = Timestamp.zero
}
