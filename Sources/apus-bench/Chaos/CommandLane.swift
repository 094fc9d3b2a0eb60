import ApusModel
import Foundation

/// Runs jobs one after the other through `apus submit` and `apus attach`, whose processes are killed now and then.
///
/// A killed one is replaced at once: by one that attaches at the index where the output ended, or by one that submits the job again
/// under its key and gets everything from the start.
struct CommandLane {
    /// Runs the processes.
    let command: ClientCommand

    /// Where clients reach the coordinator.
    let endpoint: String

    /// Where the jobs come from.
    let source: ChaosSource

    /// What the readers are given goes here.
    let ledger: ChaosLedger

    /// What is drawn.
    var random: ChaosRandom

    /// What the lane's keys begin with.
    let name: String

    /// Runs jobs until the run closes.
    mutating func run() async {
        var number = 0
        while !ledger.isClosing {
            number += 1
            await serve(source.job(key: "\(name)-\(number)", random: &random, isSingle: true))
        }
    }

    private mutating func serve(_ job: ChaosJob) async {
        let follower = ledger.open(job, choice: 0)
        var isFirst = true
        while !ledger.isAborted {
            let name = ledger.job(of: job.key)
            let arguments: [String]
            if !isFirst, let name, random.once(in: 2) {
                arguments = ["attach", name, "--from", "\(ledger.nextIndex(of: follower) ?? 0)"]
            } else {
                ledger.restart(follower, from: 0)
                arguments = Self.submit(job)
            }
            isFirst = false
            let common = ["--output", "json", "--coordinator", endpoint]
            let end = await command.run(arguments + common, follower: follower) { [ledger] line in
                Self.take(line, job: job, follower: follower, ledger: ledger)
            }
            if ledger.nextIndex(of: follower) == nil { return }
            // Nothing was accepted, and the same call may succeed later.
            if end.status == 3, ledger.job(of: job.key) == nil { continue }
            if end.status != -SIGKILL {
                let status = end.status.map { "\($0)" } ?? "nothing"
                ledger.failed(follower, "apus \(arguments[0]) ended with \(status): \(end.errors)")
                return
            }
        }
        ledger.failed(follower, "the run is given up")
    }

    /// The arguments that submit a job.
    private static func submit(_ job: ChaosJob) -> [String] {
        let request = job.request
        var arguments = [
            "submit", "--key", job.key, "--max-tokens", "\(request.maximumTokens)", "--seed",
            "\(request.sampling.seed ?? 0)", "--durability", request.durability.rawValue, "--transfer-tokens",
            "\(request.transferTokens)",
        ]
        if request.ignoresEndOfGeneration { arguments.append("--ignore-eos") }
        if request.sampling.temperature > 0 {
            arguments += ["--temperature", "\(request.sampling.temperature)", "--top-k", "\(request.sampling.topK)"]
            arguments += ["--top-p", "\(request.sampling.topP)"]
        }
        return arguments + [request.prompt]
    }

    /// Takes a line of the output; a killed process may leave half of one.
    private static func take(_ line: String, job: ChaosJob, follower: Int, ledger: ChaosLedger) {
        guard let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] else { return }
        switch object["event"] as? String {
        case "accepted":
            ledger.accepted(job.key, job: object["job"] as? String ?? "", mayDie: false, followers: [follower])
        case "token":
            guard let index = object["index"] as? Int, let id = object["id"] as? Int,
                let text = object["text"] as? String
            else { return ledger.violate("\(job.key): a token without index, id or text: \(line)") }
            ledger.take(follower, CollectionOfOne(Int32(truncatingIfNeeded: id)), text: Array(text.utf8), from: index)
        case "finished":
            let usage = object["usage"] as? [String: Any]
            let tokens = usage?["completion_tokens"] as? Int ?? -1
            let error = (object["error"] as? [String: Any])?["message"] as? String
            ledger.ended(follower, reason: object["reason"] as? String ?? "", tokens: tokens, error: error)
        default: break
        }
    }
}
