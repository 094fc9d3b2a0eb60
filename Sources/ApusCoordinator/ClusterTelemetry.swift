import ApusCore
import ApusModel
import ApusProtocol
import ApusTelemetry

/// What the coordinator measures and what workers report, merged for each worker and for the cluster.
struct ClusterTelemetry {
    /// A worker's share.
    struct Worker {
        var firstToken = LatencyHistogram()
        var interToken = LatencyHistogram()
        var step = LatencyHistogram()
        var prefill = LatencyHistogram()
        var queueWait = LatencyHistogram()
        var rate = RateMeter()

        /// Its last word on its load.
        var load = Apus_V1_Load()
    }

    var workers: [WorkerName: Worker] = [:]
    var rate = RateMeter()
    private(set) var firstToken = LatencyHistogram()
    private(set) var interToken = LatencyHistogram()
    private(set) var queueWait = LatencyHistogram()

    /// How long the journal took to make a batch durable.
    var commit = LatencyHistogram()

    /// Takes the load and the histograms that came with a step; values out of range are clamped by the histogram.
    mutating func take(_ step: Apus_V1_Step, from name: WorkerName) {
        workers[name, default: Worker()].load = step.load.printable
        if step.hasInterTokenUs {
            let columns = LatencyHistogram.Columns(values: step.interTokenUs.values, counts: step.interTokenUs.counts)
            workers[name, default: Worker()].interToken.add(columns)
            interToken.add(columns)
        }
        if step.hasPrefillUs {
            let columns = LatencyHistogram.Columns(values: step.prefillUs.values, counts: step.prefillUs.counts)
            workers[name, default: Worker()].prefill.add(columns)
        }
        if step.hasStepUs {
            let columns = LatencyHistogram.Columns(values: step.stepUs.values, counts: step.stepUs.counts)
            workers[name, default: Worker()].step.add(columns)
        }
    }

    /// Counts tokens that came from a worker.
    mutating func countTokens(_ count: Int, from name: WorkerName, at now: Timestamp) {
        guard count > 0 else { return }
        workers[name, default: Worker()].rate.record(count, at: now)
        rate.record(count, at: now)
    }

    /// Drops what is measured of a worker.
    mutating func forget(_ name: WorkerName) {
        workers[name] = nil
    }

    /// Takes what a turn measured.
    mutating func take(_ turn: Turn) {
        for wait in turn.queueWaits {
            queueWait.record(wait.time)
            workers[wait.worker, default: Worker()].queueWait.record(wait.time)
        }
        for first in turn.firstTokens {
            firstToken.record(first.time)
            workers[first.worker, default: Worker()].firstToken.record(first.time)
        }
    }
}

extension Apus_V1_Quantiles {
    /// The wire form of a histogram's quantiles.
    init(_ histogram: LatencyHistogram) {
        self.init()
        let quantiles = histogram.quantiles
        count = quantiles.count
        p50Us = quantiles.p50.wireMicroseconds
        p95Us = quantiles.p95.wireMicroseconds
        p99Us = quantiles.p99.wireMicroseconds
        maxUs = quantiles.maximum.wireMicroseconds
    }
}
