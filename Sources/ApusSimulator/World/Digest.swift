import ApusCore
import ApusModel

/// A running hash over everything that is sent and committed; equal worlds have equal ones.
struct Digest: Hashable, Sendable {
    /// The hash so far.
    private(set) var value: UInt64 = 0x9e37_79b9_7f4a_7c15

    /// Takes a number in.
    @inline(__always)
    mutating func add(_ number: UInt64) {
        value = (value ^ number) &* 0xff51_afd7_ed55_8ccd
        value ^= value >> 32
    }

    /// Takes two numbers in.
    @inline(__always)
    mutating func add(_ first: Int, _ second: UInt64) {
        add(UInt64(truncatingIfNeeded: first) ^ (second &* 0xc4ce_b9fe_1a85_ec53))
    }
}

extension Digest {
    mutating func add(_ columns: TokenColumns) {
        for row in columns.streams.indices {
            add(Int(columns.streams[row]), columns.firstIndexes[row] << 32 | UInt64(columns.counts[row]))
        }
        if let last = columns.ids.last { add(UInt64(UInt32(bitPattern: last))) }
    }

    mutating func add(_ record: JournalRecord) {
        switch record {
        case .accepted(let record): add(1, record.stream.rawValue ^ record.job.rawValue)
        case .leased(let record): add(2, record.stream.rawValue << 32 | UInt64(record.epoch.rawValue))
        case .ended(let stream, let end, _): add(3, stream.rawValue << 32 | UInt64(end.usage.completionTokens))
        case .forgotten(let stream): add(4, stream.rawValue)
        }
    }

    mutating func add(_ report: WorkerReport, from connection: Int) {
        add(UInt64(connection))
        switch report {
        case .register(let registration, let held): add(5, registration.incarnation.rawValue ^ UInt64(held.count))
        case .step(let step):
            add(Int(step.value.progress), UInt64(step.value.ends.count))
            add(step.value.tokens)
        case .leave: add(6)
        case .bye: add(7)
        }
    }

    mutating func add(_ message: ClientMessage, to connection: Int) {
        add(UInt64(connection))
        switch message {
        case .welcome: add(8)
        case .accepted(let number, let job, let stream, _, let choices):
            add(9, number ^ job.rawValue ^ stream.rawValue ^ UInt64(choices) << 56)
        case .rejected(let number, _): add(10, number)
        case .tokens(let columns): add(columns.value)
        case .finished(let stream, _, let end): add(11, stream.rawValue << 32 | UInt64(end.attempts))
        case .done(let number): add(12, number)
        case .retried(let number, let job): add(17, number ^ job.rawValue)
        case .refused(let number, _): add(13, number)
        }
    }

    mutating func add(_ message: WorkerMessage, to connection: Int) {
        add(UInt64(connection))
        switch message {
        case .enlisted(let keep): add(14, UInt64(keep.count))
        case .refused: add(15)
        case .assign(let stream, let epoch, _, let history, let limit):
            add(Int(stream.rawValue), UInt64(epoch.rawValue) << 48 | UInt64(history.count) << 24 | UInt64(limit))
        case .acknowledge(let streams, let through, let limits):
            for row in streams.indices { add(Int(streams[row]), through[row] << 32 | limits[row]) }
        case .revoke(let streams, let epochs):
            for row in streams.indices { add(Int(streams[row]), UInt64(epochs[row])) }
        case .drain: add(16)
        }
    }
}
