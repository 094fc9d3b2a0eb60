package import ApusModel
package import Foundation

extension Priority {
    /// The number on the wire: 0 is `normal`, so that a request that says nothing has it.
    package var wireNumber: UInt32 {
        switch self {
        case .normal: 0
        case .high: 1
        case .low: 2
        }
    }

    /// The priority that a peer sent; `nil` for a number that stands for none.
    package init?(wireNumber: UInt32) {
        switch wireNumber {
        case 0: self = .normal
        case 1: self = .high
        case 2: self = .low
        default: return nil
        }
    }
}

extension Durability {
    /// The number on the wire: 0 is `released`, so that a request that says nothing has it.
    package var wireNumber: UInt32 {
        switch self {
        case .released: 0
        case .accepted: 1
        case .none: 2
        }
    }

    /// The durability that a peer sent; `nil` for a number that stands for none.
    package init?(wireNumber: UInt32) {
        switch wireNumber {
        case 0: self = .released
        case 1: self = .accepted
        case 2: self = .none
        default: return nil
        }
    }
}

extension Apus_V1_TokenColumns {
    /// The wire form of token columns.
    package init(_ columns: TokenColumns) {
        self.init()
        streams = columns.streams
        epochs = columns.epochs
        firstIndexes = columns.firstIndexes
        counts = columns.counts
        ids = columns.ids
        textLengths = columns.textLengths
        text = Data(columns.text)
        if columns.hasDetails {
            detailLengths = columns.detailLengths
            details = Data(columns.details)
        }
    }
}

extension TokenColumns {
    /// The columns that a peer sent; `isValid` says whether they agree with each other.
    package init(_ wire: Apus_V1_TokenColumns) {
        self.init(
            streams: wire.streams,
            epochs: wire.epochs,
            firstIndexes: wire.firstIndexes,
            counts: wire.counts,
            ids: wire.ids,
            textLengths: wire.textLengths,
            text: [UInt8](wire.text),
            detailLengths: wire.detailLengths,
            details: [UInt8](wire.details)
        )
    }
}

extension Fingerprint {
    /// The 16 bytes on the wire, most significant first.
    package var bytes: Data {
        var data = Data(capacity: 16)
        for half in [high, low] {
            for shift in stride(from: 56, through: 0, by: -8) {
                data.append(UInt8(truncatingIfNeeded: half >> UInt64(shift)))
            }
        }
        return data
    }

    /// Reads 16 bytes; `nil` for another number of them.
    package init?(bytes: Data) {
        guard bytes.count == 16 else { return nil }
        var halves: [UInt64] = [0, 0]
        for (place, byte) in bytes.enumerated() {
            halves[place / 8] = halves[place / 8] << 8 | UInt64(byte)
        }
        self.init(high: halves[0], low: halves[1])
    }
}

extension Apus_V1_Usage {
    /// The wire form of a usage.
    package init(_ usage: Usage) {
        self.init()
        promptTokens = UInt64(usage.promptTokens)
        completionTokens = UInt64(usage.completionTokens)
    }
}

extension Apus_V1_Finished {
    /// The wire form of a stream's end.
    package init(stream: StreamID, job: JobID, end: StreamEnd) {
        self.init()
        self.stream = stream.rawValue
        self.job = job.description
        reason = end.reason.rawValue
        errorCode = end.error?.code.rawValue ?? ""
        errorMessage = end.error?.message ?? ""
        usage = Apus_V1_Usage(end.usage)
        if let wait = end.timings.queueWait { timings.queueWaitUs = wait.wireMicroseconds }
        if let first = end.timings.firstToken { timings.firstTokenUs = first.wireMicroseconds }
        timings.totalUs = end.timings.total.wireMicroseconds
        continuity = end.continuity.rawValue
        attempts = UInt32(clamping: end.attempts)
        if let stages = end.timings.stages {
            timings.firstToken = Apus_V1_FirstToken(stages)
            timings.transferUs = end.timings.transfer?.wireMicroseconds ?? 0
        }
        if let summary = end.summary { self.summary = Apus_V1_Summary(summary) }
    }
}

extension StreamEnd {
    /// The end that a coordinator sent; words that this side doesn't know become a failure that says so.
    package init(_ wire: Apus_V1_Finished) {
        var error: ApusError?
        if !wire.errorCode.isEmpty { error = ApusError(wireCode: wire.errorCode, wire.errorMessage) }
        var reason = FinishReason(rawValue: wire.reason)
        if reason == nil {
            error = error ?? ApusError(.unsupported, "the coordinator ended the stream with '\(wire.reason)'")
            reason = .failed
        }
        self.init(
            reason: reason ?? .failed,
            error: error,
            usage: Usage(
                promptTokens: Int(clamping: wire.usage.promptTokens),
                completionTokens: Int(clamping: wire.usage.completionTokens)
            ),
            timings: StreamTimings(
                queueWait: wire.timings.hasQueueWaitUs ? Duration(wireMicroseconds: wire.timings.queueWaitUs) : nil,
                firstToken: wire.timings.hasFirstTokenUs ? Duration(wireMicroseconds: wire.timings.firstTokenUs) : nil,
                total: Duration(wireMicroseconds: wire.timings.totalUs),
                stages: wire.timings.hasFirstToken ? FirstTokenStages(wire.timings.firstToken) : nil
            ),
            continuity: Continuity(rawValue: wire.continuity) ?? .none,
            attempts: Int(wire.attempts),
            summary: wire.hasSummary ? SessionSummary(wire.summary) : nil
        )
    }
}

extension ApusError {
    /// The error that a peer sent; an unknown code becomes `internalFailure` and keeps its name in the message.
    package init(wireCode: String, _ message: String, retryAfterMilliseconds: UInt64 = 0) {
        let retryAfter: Duration? =
            retryAfterMilliseconds == 0 ? nil : .milliseconds(Int64(clamping: retryAfterMilliseconds))
        if let code = Code(rawValue: wireCode) {
            self.init(code, message, retryAfter: retryAfter)
        } else {
            self.init(.internalFailure, "\(wireCode): \(message)", retryAfter: retryAfter)
        }
    }
}

extension Duration {
    /// Whole microseconds, at least 0.
    package var wireMicroseconds: UInt64 { UInt64(clamping: nanoseconds / 1_000) }

    /// Microseconds that a peer sent, clamped to what a duration of nanoseconds holds.
    package init(wireMicroseconds: UInt64) {
        self = .microseconds(Int64(clamping: min(wireMicroseconds, 1 << 50)))
    }
}
