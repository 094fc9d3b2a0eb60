import ApusModel
import ApusSimulator

/// The results of a scale run for programs; times have their units in their names.
struct ScaleContent: Encodable {
    /// A size of the cluster.
    struct Size: Encodable {
        let workers: Int
        let streams: Int
        let concurrent_streams: Int
        let lost_streams: Int
        let failovers: Int
        let completed: Int
        let failed: Int
        let violations: [String]
        let digest: String
        let virtual_time_s: Double
        let real_time_s: Double
        let events: Int
        let tokens: Int
        let messages: Int
        let turns: Int
        let choices: Int
        let choice_mean_ns: Double
        let choice_p99_ns: Double
        let leases: Int
        let turn_end_by_lease_mean_ns: Double
        let turn_end_by_lease_p99_ns: Double
        let storm_leases: Int
        let storm_turn_end_by_lease_mean_ns: Double
        let storm_turn_end_by_lease_p99_ns: Double
        let machine_time_s: Double
        let longest_turn_ms: Double
        let stream_memory_bytes: Int
        let worker_memory_bytes: Int
        let leased_again_after_s: Double?
        let lost_ended_after_s: Double?
    }

    let seed: UInt64
    let sizes: [Size]
}

extension ScaleContent.Size {
    /// Takes over a report.
    init(report: ScaleReport, memory: ScaleTable.Memory) {
        self.init(
            workers: report.workers,
            streams: report.streams,
            concurrent_streams: report.concurrent,
            lost_streams: report.lost,
            failovers: report.failovers,
            completed: report.completed,
            failed: report.failed,
            violations: report.world.violations.map { "\($0.checker): \($0.message)" },
            digest: String(report.world.digest, radix: 16),
            virtual_time_s: report.world.virtualTime.inSeconds,
            real_time_s: report.realTime.inSeconds,
            events: report.world.events,
            tokens: report.world.tokens,
            messages: report.messages,
            turns: report.turns,
            choices: report.placement.count,
            choice_mean_ns: report.placement.mean,
            choice_p99_ns: report.placement.p99,
            leases: report.dispatch.count,
            turn_end_by_lease_mean_ns: report.dispatch.mean,
            turn_end_by_lease_p99_ns: report.dispatch.p99,
            storm_leases: report.stormDispatch.count,
            storm_turn_end_by_lease_mean_ns: report.stormDispatch.mean,
            storm_turn_end_by_lease_p99_ns: report.stormDispatch.p99,
            machine_time_s: report.machineTime.inSeconds,
            longest_turn_ms: report.longestTurn.milliseconds,
            stream_memory_bytes: memory.stream,
            worker_memory_bytes: memory.worker,
            leased_again_after_s: report.releasedAfter?.inSeconds,
            lost_ended_after_s: report.endedAfter?.inSeconds
        )
    }
}
