import ApusCore
import ApusModel

/// What a lying worker sends.
extension World {
    /// Makes a message of a worker untrue in a way that can be noticed.
    mutating func falsify(_ report: inout StepReport, of worker: Int) {
        guard faultRandom.percent(20) else { return }
        let isEmpty = report.tokens.isEmpty
        let row = isEmpty ? 0 : faultRandom.below(report.tokens.rows)
        switch faultRandom.below(8) {
        case 0 where !isEmpty:
            trace?.note(now, "FAULT          the next message leaves a gap")
            report.tokens.firstIndexes[row] += UInt64(1 + faultRandom.below(3))
        case 1 where !isEmpty:
            trace?.note(now, "FAULT          the next message goes beyond the stream's end")
            report.tokens.firstIndexes[row] += UInt64(Limits.maximumTokens / 2)
        case 2 where !isEmpty:
            trace?.note(now, "FAULT          the next message has a wrong epoch")
            report.tokens.epochs[row] &+= faultRandom.percent(50) ? 1 : .max
        case 3 where !isEmpty:
            trace?.note(now, "FAULT          the next message has rows of a foreign stream")
            report.tokens.streams[row] = UInt64(faultRandom.below(jobs.count + 2))
            report.tokens.epochs[row] = UInt32(50 + faultRandom.below(3))
        case 4:
            trace?.note(now, "FAULT          the next message ends an attempt that its worker does not hold")
            let stream = StreamID(rawValue: UInt64(faultRandom.below(jobs.count + 2)))
            guard !workers[worker].attempts.contains(where: { $0.stream == stream }) else { return }
            report.ends.append(
                AttemptEnd(
                    stream: stream,
                    epoch: Epoch(rawValue: 1),
                    reason: .stop,
                    promptTokens: 1,
                    endIndex: Limits.maximumTokens
                )
            )
        case 5 where !report.ends.isEmpty:
            trace?.note(now, "FAULT          the next message keeps an end back")
            report.ends.removeLast()
        case 6 where !isEmpty:
            endEarly(row, in: &report, of: worker)
        case 7 where !report.ends.isEmpty:
            trace?.note(now, "FAULT          the next message ends an attempt elsewhere than where its tokens end")
            report.ends[0].endIndex = (report.ends[0].endIndex ?? 0) + (faultRandom.percent(50) ? 1 : -1)
        default: break
        }
    }

    /// Says that an attempt reached its stream's length, where it has not.
    private mutating func endEarly(_ row: Int, in report: inout StepReport, of worker: Int) {
        let stream = StreamID(rawValue: report.tokens.streams[row])
        let end = Int(report.tokens.firstIndexes[row]) + Int(report.tokens.counts[row])
        guard let attempt = workers[worker].attempts.first(where: { $0.stream == stream }), attempt.next == end,
            end < configuration.jobs[attempt.job].length
        else { return }
        trace?.note(now, "FAULT          the next message ends an attempt by its length too early")
        report.ends.append(
            AttemptEnd(
                stream: stream,
                epoch: attempt.epoch,
                reason: .length,
                promptTokens: attempt.promptTokens,
                endIndex: end
            )
        )
    }
}
