import ApusModel
import ApusProtocol

@testable import ApusClient

typealias Machine = ClientMachine<String, String>
typealias Effect = ClientEffect<String, String>

/// A trace's clock: seconds since its start.
func at(_ seconds: Double) -> Timestamp { Timestamp.zero + .nanoseconds(Int64(seconds * 1e9)) }

let generation = Apus_V1_Request(GenerationRequest(prompt: "swifts", maximumTokens: 100))
let job = JobID(rawValue: 7)

/// Messages as a trace names them.
enum Message {
    static func hello() -> Effect {
        var message = Apus_V1_Hello()
        message.client = "client"
        return .send(Apus_V1_Envelope(.hello(message)))
    }

    static func submit(_ request: UInt64, key: String = "k", credit: UInt64 = 8) -> Effect {
        var message = Apus_V1_Submit()
        message.request = request
        message.key = key
        message.generation = generation
        message.credit = credit
        return .send(Apus_V1_Envelope(.submit(message)))
    }

    static func attach(
        _ request: UInt64,
        choice: UInt32 = 0,
        from index: UInt64,
        credit: UInt64,
        job: JobID = job
    ) -> Effect {
        var message = Apus_V1_Attach()
        message.request = request
        message.job = job.description
        message.choice = choice
        message.fromIndex = index
        message.credit = credit
        return .send(Apus_V1_Envelope(.attach(message)))
    }

    static func cancel(_ request: UInt64, job: JobID = job) -> Effect {
        .send(ClientCall.cancel(job).envelope(request: request))
    }

    static func credit(_ rows: [UInt64: UInt64]) -> Effect {
        var message = Apus_V1_Credit()
        for (stream, limit) in rows.sorted(by: { $0.key < $1.key }) {
            message.streams.append(stream)
            message.limits.append(limit)
        }
        return .send(Apus_V1_Envelope(.credit(message)))
    }

    static func accepted(
        _ request: UInt64,
        stream: UInt64,
        choices: UInt32 = 0,
        job: JobID = job
    ) -> Apus_V1_Envelope.OneOf_Body {
        var message = Apus_V1_Accepted()
        message.request = request
        message.job = job.description
        message.stream = stream
        message.seed = 42
        message.choices = choices
        return .accepted(message)
    }

    static func rejected(
        _ request: UInt64,
        _ code: ApusError.Code,
        retryAfterMilliseconds: UInt64 = 0
    ) -> Apus_V1_Envelope.OneOf_Body {
        var message = Apus_V1_Rejected()
        message.request = request
        message.code = code.rawValue
        message.message = "no"
        message.retryAfterMs = retryAfterMilliseconds
        return .rejected(message)
    }

    static func finished(_ stream: UInt64, tokens: Int, _ reason: FinishReason = .stop) -> Apus_V1_Envelope.OneOf_Body {
        .finished(Apus_V1_Finished(stream: StreamID(rawValue: stream), job: job, end: end(tokens: tokens, reason)))
    }

    static func end(tokens: Int, _ reason: FinishReason = .stop) -> StreamEnd {
        StreamEnd(reason: reason, usage: Usage(promptTokens: 1, completionTokens: tokens), attempts: 1)
    }

    /// The answer to a peer that the coordinator does not know any more.
    static var unknownPeer: Apus_V1_Envelope.OneOf_Body {
        var message = Apus_V1_Error()
        message.code = ApusError.Code.notFound.rawValue
        message.message = "this connection was given up"
        return .error(message)
    }

    /// The end that a follower hears whose job is not kept any longer.
    static func retentionEnd(tokens: Int) -> StreamEnd {
        var end = end(tokens: tokens, .failed)
        end.error = ApusError(.notFound, "the job is not kept any longer")
        return end
    }

    static func done(_ request: UInt64) -> Apus_V1_Envelope.OneOf_Body {
        var message = Apus_V1_Done()
        message.request = request
        return .done(message)
    }

    /// Rows of tokens; token i has the id i and its index as text.
    static func tokens(_ rows: (stream: UInt64, indexes: Range<Int>)...) -> TokenColumns {
        var columns = TokenColumns()
        for row in rows {
            columns.streams.append(row.stream)
            columns.firstIndexes.append(UInt64(row.indexes.lowerBound))
            columns.counts.append(UInt32(row.indexes.count))
            for index in row.indexes {
                columns.ids.append(Int32(index))
                columns.textLengths.append(UInt32("\(index) ".utf8.count))
                columns.text.append(contentsOf: "\(index) ".utf8)
            }
        }
        return columns
    }
}

extension ClientMachine where Follower == String, Caller == String {
    /// A machine with small windows.
    static func fresh(maximumStreams: Int = 16) -> Self {
        Self(configuration: ClientConfiguration(creditWindow: 8, maximumStreams: maximumStreams))
    }

    /// A machine that is connected and follows one submitted stream as number 70, with no token yet.
    static func following() -> Self {
        var machine = fresh()
        _ = machine.connected(now: at(0))
        _ = machine.submit(1, at: 0)
        _ = machine.received(Message.accepted(1, stream: 70), now: at(0))
        return machine
    }

    mutating func submit(_ request: UInt64, key: String = "k", by followers: String..., at now: Double) -> [Effect] {
        submitted(
            request: request,
            key: key,
            generation: generation,
            followers: followers.isEmpty ? ["a"] : followers,
            window: 8,
            now: at(now)
        )
    }

    mutating func attach(_ request: UInt64, from index: UInt64, by follower: String = "b", at now: Double) -> [Effect] {
        attached(request: request, .job(job), choice: 0, from: index, follower: follower, window: 8, now: at(now))
    }

    /// What a message of tokens delivers, as texts, and what else it causes.
    mutating func tokens(_ columns: TokenColumns, at now: Double = 1) -> (texts: [String], effects: [Effect]) {
        var (deliveries, gaps) = tokensReceived(columns)
        let texts = deliveries.map { delivery in
            "\(followers[delivery.slot] ?? "nobody")\(delivery.firstIndex): "
                + String(decoding: columns.text[delivery.bytes], as: UTF8.self)
        }
        for place in deliveries.indices {
            deliveries[place].consumed = deliveries[place].firstIndex + deliveries[place].tokens.count
        }
        delivered(deliveries)
        return (texts, gapsFound(gaps, now: at(now)))
    }
}
