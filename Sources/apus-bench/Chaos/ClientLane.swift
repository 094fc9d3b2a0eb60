import ApusClient
import ApusModel

/// Runs jobs one after the other through a client of this process, which has to get over whatever happens by itself.
///
/// Some jobs are followed a second time: by another client that submits the same key while they run, or from an index after the end.
struct ClientLane {
    /// Submits.
    let client: ApusClient

    /// Submits again.
    let other: ApusClient

    /// Where the jobs come from.
    let source: ChaosSource

    /// What the readers are given goes here.
    let ledger: ChaosLedger

    /// What is drawn.
    var random: ChaosRandom

    /// What the lane's keys begin with.
    let name: String

    private var number = 0

    /// A lane that has run no job.
    init(
        client: ApusClient,
        other: ApusClient,
        source: ChaosSource,
        ledger: ChaosLedger,
        random: ChaosRandom,
        name: String
    ) {
        self.client = client
        self.other = other
        self.source = source
        self.ledger = ledger
        self.random = random
        self.name = name
    }

    /// Runs jobs until the run closes.
    mutating func run() async {
        while !ledger.isClosing { await runOne() }
    }

    /// Leaves a job out: a copy of the lane runs it.
    mutating func skip() {
        number += 1
        _ = random.next()
    }

    /// Runs a job, and whatever follows it a second time.
    mutating func runOne() async {
        number += 1
        let job = source.job(key: "\(name)-\(number)", random: &random, isSingle: false)
        let isDouble = !job.mayDie && random.once(in: 4)
        let isRepeated = !job.mayDie && random.once(in: 4)
        let from = random.draw(0...job.streams[0].count)
        await withDiscardingTaskGroup { [self] group in
            guard let (id, ends) = await submit(job, on: client) else { return }
            if isDouble {
                group.addTask { [self] in
                    guard let (_, ends) = await submit(job, on: other) else { return }
                    await ends.wait()
                }
            }
            await ends.wait()
            if isRepeated, !ledger.isAborted { await attach(job, id, from: from) }
        }
    }

    /// Submits a job under its key until it is accepted.
    ///
    /// - Returns: The job's name and the ends of its streams; `nil` where it was refused.
    private func submit(_ job: ChaosJob, on client: ApusClient) async -> (JobID, StreamEnds)? {
        let followers = job.streams.indices.map { ledger.open(job, choice: $0) }
        let ends = StreamEnds(followers.count)
        while true {
            do throws(ApusError) {
                let streams = try await client.submitChoices(job.request, key: job.key) { [ledger] choice, update in
                    Self.take(update, followers[choice], ledger: ledger, ends: ends)
                }
                let name = streams[0].job
                ledger.accepted(job.key, job: name.description, mayDie: job.mayDie, followers: followers)
                return (name, ends)
            } catch {
                guard error.isRetriable, !ledger.isAborted else {
                    ledger.failed(followers[0], "the submit was refused: \(error)")
                    for follower in followers { ledger.close(follower) }
                    return nil
                }
                // A run that is given up ends the wait early.
                try? await Task.sleep(for: error.retryAfter ?? .milliseconds(50))
            }
        }
    }

    /// Follows a job's first stream from an index, after its end.
    private func attach(_ job: ChaosJob, _ id: JobID, from index: Int) async {
        let follower = ledger.open(job, choice: 0, from: index)
        let ends = StreamEnds(1)
        while true {
            do throws(ApusError) {
                _ = try await client.attach(id, from: index) { [ledger] update in
                    Self.take(update, follower, ledger: ledger, ends: ends)
                }
                ledger.accepted(job.key, job: id.description, mayDie: job.mayDie, followers: [follower])
                return await ends.wait()
            } catch {
                guard error.isRetriable, !ledger.isAborted else {
                    return ledger.failed(follower, "attaching from \(index) was refused: \(error)")
                }
                // As above.
                try? await Task.sleep(for: error.retryAfter ?? .milliseconds(50))
            }
        }
    }

    /// Tells the ledger what came.
    static func take(_ update: StreamUpdate, _ follower: Int, ledger: ChaosLedger, ends: StreamEnds) {
        switch update {
        case .batch(let batch):
            ledger.take(follower, batch.ids, text: batch.utf8, from: batch.firstIndex)
        case .finished(let end):
            let tokens = end.usage.completionTokens
            ledger.ended(follower, reason: end.reason.rawValue, tokens: tokens, error: end.error?.message)
            ends.add()
        case .failed(let error):
            ledger.failed(follower, "\(error)", isNotFound: error.code == .notFound)
            ends.add()
        }
    }
}
