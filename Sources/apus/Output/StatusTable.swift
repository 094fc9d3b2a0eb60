import ApusClient
import Foundation

/// A cluster's status as people read it.
enum StatusTable {
    /// The most characters of a line.
    static let width = 120

    /// The status's lines.
    static func lines(_ status: ClusterStatus) -> [String] {
        let streams = status.streams
        var lines = [
            "coordinator \(status.coordinator)  version \(status.version)  pid \(status.pid)  "
                + "up \(duration(milliseconds: status.uptimeMilliseconds))  journal \(status.journal)",
            "streams     \(streams.active) active  \(streams.queued) queued  \(streams.completed) completed  "
                + "\(streams.failed) failed  \(streams.cancelled) cancelled  \(status.failovers) failovers  "
                + "\(status.hedges) hedges",
            "tokens      \(status.tokens) total  \(decimal(status.tokensPerSecond))/s",
            "p50/95/99   first token \(quantiles(status.firstToken))  "
                + "between tokens \(quantiles(status.interToken))  queue \(quantiles(status.queueWait))  (ms)",
            "load        \(status.clients) clients  \(status.rejected) rejected  \(status.malformed) malformed  "
                + "\(status.stale) stale rows  \(megabytes(UInt64(clamping: status.memoryBytes))) MB  "
                + "\(decimal(status.processorMilliseconds / 1000)) s of processor",
        ]
        lines += journal(status.journalStatus) + [""]
        if status.workers.isEmpty { return lines + ["no workers; start one with `apus worker`"] }
        var table = TextTable([
            "WORKER", ">PID", "MODEL", "STATE", ">SLOTS", ">BATCH", ">TOK/S", ">TTFT", ">ITL", ">MEM MB", ">CACHE",
            ">FAILS", "EXACT",
        ])
        for worker in status.workers {
            table.add([
                worker.name, String(worker.pid), worker.model, worker.state, "\(worker.active)/\(worker.slots)",
                "\(worker.batchSize)/\(worker.batchLimit)", decimal(worker.tokensPerSecond), pair(worker.firstToken),
                pair(worker.interToken), memory(worker), cacheHits(worker.load), String(worker.failures),
                exact(worker),
            ])
        }
        lines += table.lines(fitting: width, shortening: ["WORKER", "MODEL"])
        return lines
    }

    /// What the journal holds; loudly where it can't be written.
    private static func journal(_ journal: JournalStatus) -> [String] {
        var lines: [String] = []
        if journal.limitBytes > 0 {
            lines.append(
                "journal     \(journal.jobs) jobs  \(megabytes(UInt64(clamping: journal.usedBytes))) of "
                    + "\(megabytes(UInt64(clamping: journal.limitBytes))) MB used  "
                    + "\(megabytes(UInt64(clamping: journal.diskBytes))) MB on disk  commit \(quantiles(journal.commit)) ms"
            )
        }
        if !journal.failure.isEmpty {
            lines.append(
                "JOURNAL CAN'T BE WRITTEN for \(duration(milliseconds: journal.failingMilliseconds)): \(journal.failure)"
            )
            lines.append("no job is accepted and all streams stand still until it can")
        }
        return lines
    }

    private static func memory(_ worker: WorkerStatus) -> String {
        if worker.memoryBytes == 0 { return "-" }
        let size = megabytes(UInt64(clamping: worker.memoryBytes))
        return ["", "normal"].contains(worker.load.memory) ? size : "\(worker.load.memory) \(size)"
    }

    private static func exact(_ worker: WorkerStatus) -> String {
        worker.exactness.isEmpty ? "-" : worker.exactness == "exact" ? "yes" : "no"
    }

    private static func cacheHits(_ load: WorkerLoadStatus) -> String {
        load.promptTokens == 0 ? "-" : "\(Int(load.cacheHitRate * 100)) %"
    }

    private static func quantiles(_ times: Quantiles) -> String {
        times.count == 0 ? "-" : "\(decimal(times.p50))/\(decimal(times.p95))/\(decimal(times.p99))"
    }

    private static func pair(_ times: Quantiles) -> String {
        times.count == 0 ? "-" : "\(decimal(times.p50))/\(decimal(times.p95))"
    }

    /// Whole megabytes.
    static func megabytes(_ bytes: UInt64) -> String { String(bytes >> 20) }

    /// A number with as many decimals as its size deserves.
    static func decimal(_ value: Double) -> String {
        String(format: value >= 100 ? "%.0f" : value >= 10 ? "%.1f" : "%.2f", value)
    }

    /// A time in its largest two units.
    static func duration(milliseconds: Int) -> String {
        let seconds = milliseconds / 1000
        switch seconds {
        case 0..<60: return "\(seconds) s"
        case 60..<3600: return "\(seconds / 60) min \(seconds % 60) s"
        case 3600..<86_400: return "\(seconds / 3600) h \(seconds / 60 % 60) min"
        default: return "\(seconds / 86_400) d \(seconds / 3600 % 24) h"
        }
    }
}
