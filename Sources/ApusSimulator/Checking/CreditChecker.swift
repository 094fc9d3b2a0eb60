import ApusCore
import ApusModel

/// Nobody is sent more than it granted, and no worker computes further than its window and the furthest consumer allow.
struct CreditChecker: Checker {
    static let name = "credits conserved and windows bounded"

    var violation: Violation?

    /// What a connection ever granted for a stream.
    private var limits = PairTable(initial: 0)

    /// The credit of each request that waits for its answer, by connection and number.
    private var asked = PairTable(initial: Asked())

    private struct Asked {
        var credit = 0
        var isSubmit = false
    }

    private struct State {
        var tokens = 0

        /// The commit that made it durable; -1 once another connection than the first may have followed.
        var commit = -1

        /// The connection that has followed since the first moment; `nil` where nobody may have followed for a while.
        var follower: ClientPeer?
    }

    private var streams: PerStream<State>
    private var streamsOfJob: [JobID: Range<UInt64>] = [:]
    private var streamsOfKey: [String: Range<UInt64>] = [:]
    private let window: Int
    private var commits = 0

    init(configuration: WorldConfiguration) {
        streams = PerStream(from: configuration.settings.firstStream, initial: State())
        streamsOfJob.reserveCapacity(configuration.jobs.count)
        streamsOfKey.reserveCapacity(configuration.jobs.count)
        window = configuration.settings.workerWindow
    }

    mutating func requestTold(_ request: ClientRequest, from peer: ClientPeer, at now: Timestamp) {
        switch request {
        case .submit(let number, let key, _, let credit):
            asked[peer.rawValue, number] = Asked(credit: credit, isSubmit: true)
            for stream in streamsOfKey[key] ?? 0..<0 { grant(credit, of: stream, joining: peer) }
        case .attach(let number, let job, let key, let choice, let from, let credit):
            asked[peer.rawValue, number] = Asked(credit: max(from, credit))
            let streams = job.map({ streamsOfJob[$0] }) ?? streamsOfKey[key]
            if let streams, choice < streams.count {
                grant(max(from, credit), of: streams.lowerBound + UInt64(choice), joining: peer)
            }
        case .credit(let numbers, let granted):
            for (stream, limit) in zip(numbers, granted) { grant(Int(clamping: limit), of: stream, by: peer) }
        case .detach(let numbers):
            for stream in numbers { streams[stream].follower = nil }
        case .hello, .cancel, .drain, .retry: break
        }
    }

    /// Between the loss and a later attach in the same turn, which may have come by the same connection, nobody followed.
    mutating func lossTold(of peer: ClientPeer, at now: Timestamp) {
        for stream in streams.first..<streams.end where streams[stream].follower == peer {
            streams[stream].follower = nil
        }
    }

    mutating func turnDecided(
        _ turn: borrowing Turn,
        by machine: borrowing CoordinatorMachine,
        at now: Timestamp
    ) {
        for place in turn.acknowledgements.indices {
            for row in turn.acknowledgements[place].streams.indices {
                let stream = turn.acknowledgements[place].streams[row]
                // Others than the one follower of a stream may be gone, and a stream without followers runs to its end.
                guard let peer = streams[stream].follower,
                    machine.followers(of: StreamID(rawValue: stream)) == [peer]
                else { continue }
                let granted = limits[peer.rawValue, stream]
                let limit = turn.acknowledgements[place].second[row]
                guard limit > UInt64(granted), limit > UInt64(streams[stream].tokens) else { continue }
                // The end of an attempt is acknowledged up to what was computed, which may be more than is journaled yet.
                guard limit != turn.acknowledgements[place].first[row] else { continue }
                broken(
                    at: now,
                    "a worker may compute stream \(stream) up to \(limit); its only follower granted \(granted)"
                )
            }
        }
    }

    mutating func committed(tokens: [TokenColumns], records: [JournalRecord], at now: Timestamp) {
        for place in tokens.indices {
            for row in 0..<tokens[place].rows {
                let end = Int(tokens[place].firstIndexes[row]) + Int(tokens[place].counts[row])
                streams[tokens[place].streams[row]].tokens = end
            }
        }
        commits += 1
        for case .accepted(let accepted) in records {
            for stream in accepted.streams { streams[stream].commit = commits }
            streamsOfJob[accepted.job] = accepted.streams
            streamsOfKey[accepted.key] = accepted.streams
        }
    }

    mutating func coordinatorDied(at now: Timestamp) {
        for stream in streams.first..<streams.end { streams[stream].follower = nil }
    }

    mutating func lost(_ loss: CoordinatorLoss, at now: Timestamp) {
        for stream in loss.derivedAgain { streams[stream.rawValue].tokens = 0 }
    }

    mutating func sent(_ message: ClientMessage, to peer: ClientPeer, at now: Timestamp) {
        switch message {
        case .accepted(let number, _, let first, _, let choices):
            let request = asked[peer.rawValue, number]
            for stream in first.rawValue..<first.rawValue + UInt64(request.isSubmit ? choices : 1) {
                grant(request.credit, of: stream, by: peer)
                if streams[stream].commit == commits, streams[stream].follower == nil {
                    streams[stream].follower = peer
                } else if streams[stream].follower != peer {
                    streams[stream].follower = nil
                    streams[stream].commit = -1
                }
            }
        case .tokens(let shared):
            for row in 0..<shared.value.rows {
                let end = Int(shared.value.firstIndexes[row]) + Int(shared.value.counts[row])
                let limit = limits[peer.rawValue, shared.value.streams[row]]
                guard end > limit else { continue }
                broken(
                    at: now,
                    "connection \(peer.rawValue) got stream \(shared.value.streams[row]) up to \(end); it granted \(limit)"
                )
                return
            }
        case .welcome, .rejected, .finished, .done, .retried, .refused: break
        }
    }

    mutating func sent(_ message: WorkerMessage, to peer: WorkerPeer, at now: Timestamp) {
        switch message {
        case .assign(let stream, _, _, _, let limit): check(stream.rawValue, limit, at: now)
        case .acknowledge(let numbers, _, let limits):
            for (stream, limit) in zip(numbers, limits) { check(stream, Int(clamping: limit), at: now) }
        case .enlisted, .refused, .revoke, .drain: break
        }
    }

    private mutating func grant(_ limit: Int, of stream: UInt64, by peer: ClientPeer) {
        if limit > limits[peer.rawValue, stream] { limits[peer.rawValue, stream] = limit }
    }

    /// A connection asks to follow a stream; it may be gone again when the turn ends, so that the other is not the only one.
    private mutating func grant(_ limit: Int, of stream: UInt64, joining peer: ClientPeer) {
        grant(limit, of: stream, by: peer)
        guard streams[stream].follower != peer else { return }
        streams[stream].follower = nil
        streams[stream].commit = -1
    }

    private mutating func check(_ stream: UInt64, _ limit: Int, at now: Timestamp) {
        let tokens = streams[stream].tokens
        guard limit > tokens + window else { return }
        broken(
            at: now,
            "a worker may compute stream \(stream) up to \(limit), which is over the window after \(tokens) tokens"
        )
    }
}
