import ApusClient

/// Jobs as people read them.
enum JobsTable {
    /// The lines of jobs that failed or expired, the cause of each in whole.
    static func deadLines(_ jobs: [JobSummary]) -> [String] {
        if jobs.isEmpty { return ["no dead jobs"] }
        var table = TextTable(["JOB", ">CHOICE", "STATE", ">TOKENS", ">ATTEMPTS", ">AGE", "KEY", "CAUSE"])
        for job in jobs {
            let cause = job.error.map { "\($0.code): \($0.message)" } ?? ""
            table.add([
                job.job, String(job.choice), job.state, String(job.tokens), String(job.attempts),
                StatusTable.duration(milliseconds: job.ageMilliseconds), job.key, cause,
            ])
        }
        return table.lines
    }

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
