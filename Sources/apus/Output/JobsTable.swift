import ApusClient

/// Jobs as people read them.
enum JobsTable {
    /// The jobs' lines.
    static func lines(_ jobs: [JobSummary]) -> [String] {
        if jobs.isEmpty { return ["no jobs"] }
        // Most jobs have a single stream, and no use for a column that says so.
        let hasChoices = jobs.contains { $0.choice > 0 }
        var table = TextTable(
            ["JOB"] + (hasChoices ? [">CHOICE"] : []) + [
                "STATE", "PRIORITY", "CLIENT", "MODEL", ">TOKENS", "WORKER", ">ATTEMPTS", "CONTINUITY", ">AGE", "KEY",
                "ERROR",
            ]
        )
        for job in jobs {
            table.add(
                [job.job] + (hasChoices ? [String(job.choice)] : []) + [
                    job.state, job.priority, job.client, job.model, "\(job.tokens)/\(job.maximumTokens)", job.worker,
                    String(job.attempts), job.continuity, StatusTable.duration(milliseconds: job.ageMilliseconds),
                    job.key, job.error?.code ?? "",
                ]
            )
        }
        return table.lines
    }
}
